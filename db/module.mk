db_sources := db/db.c db/migrate.c db/artifact.c db/compare.c db/store_source.c db/store_release.c \
	db/store_kernel.c db/store_cycle.c db/store_job.c db/store_run.c db/store_clock_sample.c db/store_diff.c db/store_lab.c \
	db/query.c db/query_lab.c db/query_queue.c db/query_kernel.c db/query_run.c db/query_verdict.c \
	db/query_clause.c db/query_diff.c db/query_file.c
$(call archive,db,$(db_sources))

# The schema as one C string literal.
$(BUILD)/gen/schema.sql.inc: db/schema.sql
	@mkdir -p $(@D)
	$(say) GEN $@
	$(Q)sed -e 's/\\/\\\\/g' -e 's/"/\\"/g' -e 's/.*/"&\\n"/' $< > $@.new && mv $@.new $@
$(BUILD)/obj/db/migrate.o: $(BUILD)/gen/schema.sql.inc

$(call unit_test,test_db,tests/unit/test_db.c tests/unit/lab_cmocka.c,db base,sqlite3 jansson libzstd libcrypto)
$(call unit_test,test_compare,tests/unit/test_compare.c,db base,sqlite3 jansson libzstd libcrypto)
$(call unit_test,test_store,tests/unit/test_store.c tests/unit/lab_cmocka.c,db base,sqlite3 jansson libzstd libcrypto)
$(call unit_test,test_query,tests/unit/test_query.c tests/unit/lab_cmocka.c,db base,sqlite3 jansson libzstd libcrypto)
