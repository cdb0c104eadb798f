runners_sources := \
	runners/accel.c \
	runners/agent.c \
	runners/attempt.c \
	runners/bench.c \
	runners/claim.c \
	runners/clock_check.c \
	runners/clock_real.c \
	runners/clock_virtual.c \
	runners/console.c \
	runners/context.c \
	runners/doctor.c \
	runners/judge.c \
	runners/link.c \
	runners/loop.c \
	runners/nodes.c \
	runners/nut.c \
	runners/nut_agent.c \
	runners/nut_console.c \
	runners/nut_port.c \
	runners/nut_snapshot.c \
	runners/nut_xml.c \
	runners/probe.c \
	runners/run.c \
	runners/run_job.c \
	runners/run_main.c \
	runners/session.c \
	runners/shards.c \
	runners/target_nut.c \
	runners/trace.c \
	runners/virt.c
$(call archive,runners,$(runners_sources))

runners_packages := libvirt libvirt-qemu libuv jansson lua5.4 libcrypto
$(call program,testlab-runner,runners/main.c,runners suites packets base,$(runners_packages))
# The whole engine against a node with known faults (tests/integration/400-faults.sh).
simulated_sources := \
	tests/simulated/fault_matrix.c \
	tests/simulated/sim_address.c \
	tests/simulated/sim_clock.c \
	tests/simulated/sim_command.c \
	tests/simulated/sim_dns.c \
	tests/simulated/sim_fragment.c \
	tests/simulated/sim_group.c \
	tests/simulated/sim_nd.c \
	tests/simulated/sim_neighbour.c \
	tests/simulated/sim_node.c \
	tests/simulated/sim_path.c \
	tests/simulated/sim_route.c \
	tests/simulated/sim_router.c \
	tests/simulated/sim_target.c
$(call test_program,fault_matrix,$(simulated_sources),runners suites packets base,$(runners_packages))

# A NUT without the engine (tests/integration/302-nut.sh, 303-nut-trouble.sh).
$(call test_program,nut-driver,tests/nut/driver.c,runners packets base,libvirt libvirt-qemu libuv jansson)

$(call unit_test,test_loop,tests/unit/test_loop.c,runners base,libuv)
$(call unit_test,test_link,tests/unit/test_link.c,runners base,libuv)
$(call unit_test,test_clock_virtual,tests/unit/test_clock_virtual.c tests/unit/lab_cmocka.c,runners base,libuv jansson)
$(BUILD)/tests/test_clock_virtual: | $(BUILD)/libtestlab-vclock.so
$(call unit_test,test_agent,tests/unit/test_agent.c tests/unit/lab_cmocka.c,runners base,jansson)
$(call unit_test,test_claim,tests/unit/test_claim.c,runners suites packets base,$(runners_packages))
$(call unit_test,test_console,tests/unit/test_console.c tests/unit/lab_cmocka.c,runners base,jansson)
$(call fuzzer,fuzz_agent,runners base,jansson)
$(call fuzzer,fuzz_console,runners base,jansson)
