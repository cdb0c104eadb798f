/* Escaping of HTML against hostile strings. */
#include "web/html.h"

#include <string.h>

#include "base/cleanup.h"
#include "tests/unit/lab_cmocka.h"
#include "web/utf8.h"

#define FFFD "\xef\xbf\xbd"

static void assert_text(const char *text, const char *want)
{
	auto_cleanup(buf_release_p) struct buf html = BUF_INIT(4096);

	html_text(&html, text);
	assert_string_equal(html.data ? html.data : "", want);
}

static void test_markup_is_escaped(void **state)
{
	(void)state;
	assert_text("<script>alert(1)</script>", "&lt;script&gt;alert(1)&lt;/script&gt;");
	assert_text("\" onmouseover='x' &amp;", "&quot; onmouseover=&#39;x&#39; &amp;amp;");
	assert_text("", "");
	assert_text(NULL, "");
	assert_text("größer → 7", "größer → 7");
}

static void test_odd_bytes_are_replaced(void **state)
{
	(void)state;
	assert_text("a\xff"
		    "b",
		    "a" FFFD "b");
	assert_text("\xc3", FFFD);                            /* cut */
	assert_text("\xc0\xbc", FFFD FFFD);                   /* '<', overlong */
	assert_text("\xed\xa0\x80", FFFD FFFD FFFD);          /* a surrogate */
	assert_text("\xf4\x90\x80\x80", FFFD FFFD FFFD FFFD); /* past U+10FFFF */
	assert_text("\xe2\x80\xae"
		    "fdp.exe",
		    FFFD "fdp.exe"); /* right-to-left override */
	assert_text("a\x01\x1b[31m", "a" FFFD FFFD "[31m");
	assert_text("two\nlines\t.", "two\nlines\t.");
	assert_text("\xf0\x9f\x90\xa7", "\xf0\x9f\x90\xa7");
}

static void test_formats_escape_their_values(void **state)
{
	auto_cleanup(buf_release_p) struct buf html = BUF_INIT(4096);

	(void)state;
	html_add(&html, "<a href=\"/tests/%-s\" title=\"%s\">%d%% of %zu</a>", "a/b#?\"<é", "\"<",
		 50, (size_t)7);
	assert_string_equal(html.data,
			    "<a href=\"/tests/a%2Fb%23%3F%22%3C%C3%A9\" title=\"&quot;&lt;\">"
			    "50% of 7</a>");
	buf_reset(&html);
	html_add(&html, "%s", "%s%n");
	assert_string_equal(html.data, "%s%n");
}

static void test_utf8_lengths(void **state)
{
	uint32_t c;

	(void)state;
	assert_int_equal(utf8_decode("\xe2\x82\xac", 3, &c), 3);
	assert_int_equal(c, 0x20ac);
	assert_int_equal(utf8_decode("\xe2\x82\xac", 2, &c), 0);
	assert_true(utf8_is_valid("abc", 3));
	assert_false(utf8_is_valid("ab\x80", 3));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_markup_is_escaped),
		cmocka_unit_test(test_odd_bytes_are_replaced),
		cmocka_unit_test(test_formats_escape_their_values),
		cmocka_unit_test(test_utf8_lengths),
	};

	return cmocka_run_group_tests_name("html", tests, NULL, NULL);
}
