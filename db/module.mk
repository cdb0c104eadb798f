db_sources := db/db.c db/migrate.c
$(call archive,db,$(db_sources))

# The schema as one C string literal.
$(BUILD)/gen/schema.sql.inc: db/schema.sql
	@mkdir -p $(@D)
	$(say) GEN $@
	$(Q)sed -e 's/\\/\\\\/g' -e 's/"/\\"/g' -e 's/.*/"&\\n"/' $< > $@.new && mv $@.new $@
$(BUILD)/obj/db/migrate.o: $(BUILD)/gen/schema.sql.inc
