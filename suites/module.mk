suites_sources := \
	suites/clause.c \
	suites/lua_context.c \
	suites/lua_host.c \
	suites/lua_packet.c \
	suites/lua_packet_helper.c \
	suites/lua_test.c \
	suites/lua_value.c \
	suites/plan.c \
	suites/suite.c
$(call archive,suites,$(suites_sources))

$(call unit_test,test_clause,tests/unit/test_clause.c tests/unit/lab_cmocka.c,suites packets base,lua5.4 jansson libcrypto)
$(call unit_test,test_lua_packet,tests/unit/test_lua_packet.c,suites packets base,lua5.4 jansson)
$(call unit_test,test_packet_reference,tests/unit/test_packet_reference.c tests/unit/lab_cmocka.c,suites packets base,lua5.4 jansson)
$(call unit_test,test_plan,tests/unit/test_plan.c tests/unit/lab_cmocka.c,suites base,jansson)
$(call unit_test,test_script,tests/unit/test_script.c tests/unit/lab_cmocka.c,suites packets base,lua5.4 jansson libcrypto)
$(call test_program,packet-capture,tests/packet_capture.c,suites packets base,lua5.4 jansson)
