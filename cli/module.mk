cli_sources := cli/clauses.c cli/daemon.c cli/doctor.c cli/image.c cli/keep.c cli/main.c cli/options.c cli/results.c cli/run.c \
	cli/runner.c cli/runner_list.c cli/scratch.c cli/sets.c cli/show.c
$(call program,testlab,$(cli_sources),base,jansson libcurl)
$(call unit_test,test_cli,tests/unit/test_cli.c cli/options.c cli/results.c cli/show.c,base,jansson)
