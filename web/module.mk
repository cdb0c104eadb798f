web_sources := web/html.c web/utf8.c web/parse.c web/static.c web/server.c web/route.c web/routes.c web/openapi.c \
	web/api.c web/api_file.c web/httpd.c web/page.c web/page_front.c web/page_kernel.c web/page_run.c \
	web/page_verdict.c web/page_diff.c web/page_test.c web/page_lab.c web/page_clause.c
$(call archive,web,$(web_sources))

# Static files as lists of numbers for static.c.
$(BUILD)/gen/web/%.inc: web/static/%
	@mkdir -p $(@D)
	$(say) GEN $@
	$(Q)od -An -v -tu1 $< | sed -e 's/[0-9][0-9]*/&,/g' > $@.new && mv $@.new $@
$(BUILD)/gen/web/schemas.json.inc: web/schemas.json
	@mkdir -p $(@D)
	$(say) GEN $@
	$(Q)od -An -v -tu1 $< | sed -e 's/[0-9][0-9]*/&,/g' > $@.new && mv $@.new $@
$(BUILD)/obj/web/static.o: $(patsubst %,$(BUILD)/gen/web/%.inc,lab.css lab.js icon.svg schemas.json)

$(call unit_test,test_html,tests/unit/test_html.c,web base,jansson)
$(call unit_test,test_http_parse,tests/unit/test_http_parse.c,web base,jansson)
