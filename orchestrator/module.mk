orchestrator_sources := orchestrator/config.c
$(call archive,orchestrator,$(orchestrator_sources))

# The commented configuration file as one C string literal.
$(BUILD)/gen/testlabd.conf.inc: orchestrator/testlabd.conf
	@mkdir -p $(@D)
	$(say) GEN $@
	$(Q)sed -e 's/\\/\\\\/g' -e 's/"/\\"/g' -e 's/.*/"&\\n"/' $< > $@.new && mv $@.new $@
$(BUILD)/obj/orchestrator/config.o: $(BUILD)/gen/testlabd.conf.inc
