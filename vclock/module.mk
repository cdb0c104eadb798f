vclock_sources := vclock/clock.c vclock/control.c vclock/mainloop.c vclock/preload.c vclock/real.c
$(call preload,testlab-vclock,$(vclock_sources),-ldl -lpthread)

$(call unit_test,test_vclock,tests/unit/test_vclock.c vclock/clock.c,,)
$(call unit_test,test_vclock_preload,tests/unit/test_vclock_preload.c tests/unit/lab_cmocka.c,base,jansson)
$(BUILD)/tests/test_vclock_preload: | $(BUILD)/libtestlab-vclock.so

# A real QEMU and kernel without libvirt; tests/integration/3*-vclock*.sh runs it.
$(call test_program,vclock-driver,tests/vclock/driver.c tests/vclock/guest.c,,jansson)
