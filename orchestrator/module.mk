orchestrator_sources := orchestrator/ask.c orchestrator/build.c orchestrator/catalogue.c orchestrator/child.c \
	orchestrator/config.c \
	orchestrator/cycle.c orchestrator/health.c orchestrator/ingest.c orchestrator/job.c orchestrator/lab.c \
	orchestrator/process.c orchestrator/recover.c orchestrator/run.c orchestrator/schedule.c \
	orchestrator/state_folder.c orchestrator/sweep.c orchestrator/trigger.c orchestrator/watch.c
$(call archive,orchestrator,$(orchestrator_sources))
$(call program,testlabd,orchestrator/main.c,web orchestrator db base,\
	libuv sqlite3 jansson libconfig libmicrohttpd libzstd libcrypto)

# The commented configuration file as one C string literal.
$(BUILD)/gen/testlabd.conf.inc: orchestrator/testlabd.conf
	@mkdir -p $(@D)
	$(say) GEN $@
	$(Q)sed -e 's/\\/\\\\/g' -e 's/"/\\"/g' -e 's/.*/"&\\n"/' $< > $@.new && mv $@.new $@
$(BUILD)/obj/orchestrator/config.o: $(BUILD)/gen/testlabd.conf.inc

orchestrator_test_packages := libuv sqlite3 jansson libconfig libzstd libcrypto
$(call unit_test,test_config,tests/unit/test_config.c tests/unit/lab_cmocka.c,orchestrator db base,$(orchestrator_test_packages))
$(call unit_test,test_cycle,tests/unit/test_cycle.c tests/unit/lab_cmocka.c,orchestrator db base,$(orchestrator_test_packages))
$(call unit_test,test_child_files,tests/unit/test_child_files.c tests/unit/lab_cmocka.c,orchestrator db base,\
	$(orchestrator_test_packages))
