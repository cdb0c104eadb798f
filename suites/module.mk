suites_sources := \
	suites/plan.c
$(call archive,suites,$(suites_sources))

$(call unit_test,test_plan,tests/unit/test_plan.c tests/unit/lab_cmocka.c,suites base,jansson)
