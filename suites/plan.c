#include "suites/plan.h"

#include <dirent.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/cleanup.h"
#include "base/err.h"
#include "base/fs.h"
#include "base/limits.h"

/* Reading of one file. */
struct reader {
	const char *path;
	unsigned line; /* from 1 */
	struct plan_set *set;
};

static int fail(const struct reader *reader, struct err *err, const char *what, const char *value)
{
	return err_set(err, LAB_EPARSE, "%s:%u: %s '%s'", reader->path, reader->line, what, value);
}

int plan_check_setting(const char *text, struct err *err)
{
	const char *equals = strchr(text, '=');

	if (!equals || equals == text || !equals[1] ||
	    strspn(text, "abcdefghijklmnopqrstuvwxyz0123456789_.") != (size_t)(equals - text) ||
	    strspn(equals + 1, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
			       "0123456789_.: -") != strlen(equals + 1))
		return err_set(err, LAB_EINVALID,
			       "setting '%s': expected name=value, such as "
			       "net.ipv6.conf.default.accept_dad=2",
			       text);
	return 0;
}

static int read_header(struct reader *reader, const char *text, struct err *err)
{
	struct plan_set *set = reader->set;

	if (!strncmp(text, "title: ", 7)) {
		free(set->title);
		set->title = xstrdup(text + 7);
	} else if (!strncmp(text, "role: ", 6)) {
		free(set->role);
		set->role = xstrdup(text + 6);
	} else if (!strncmp(text, "of: ", 4)) {
		free(set->of);
		set->of = xstrdup(text + 4);
	} else if (!strncmp(text, "environment: ", 13)) {
		int rc = plan_check_setting(text + 13, err);

		if (rc < 0)
			return err_prefix(err, "%s:%u", reader->path, reader->line);
		set->environment = xreallocarray(set->environment, set->environment_count + 1,
						 sizeof(*set->environment));
		set->environment[set->environment_count++] = xstrdup(text + 13);
	}
	return 0; /* anything else is a remark */
}

static int read_kind(const struct reader *reader, const char *text, enum plan_kind *ret_kind,
		     struct err *err)
{
	if (!strcmp(text, "test"))
		*ret_kind = PLAN_KIND_TEST;
	else if (!strcmp(text, "init"))
		*ret_kind = PLAN_KIND_INIT;
	else if (!strcmp(text, "skip"))
		*ret_kind = PLAN_KIND_SKIP;
	else
		return fail(reader, err, "expected kind test, init or skip, not", text);
	return 0;
}

static int check_id(const struct reader *reader, const char *id, struct err *err)
{
	if (!*id || strlen(id) > LIMIT_NAME ||
	    strspn(id, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._#()/,-") !=
		    strlen(id))
		return fail(reader, err, "not a test id:", id);
	if (plan_set_find(reader->set, id))
		return fail(reader, err, "listed twice:", id);
	return 0;
}

/* "id<TAB>kind<TAB>title<TAB>reference", or "id" alone when the set is taken out of another. */
static int read_row(struct reader *reader, char *line, struct err *err)
{
	struct plan_set *set = reader->set;
	struct plan_row row = { .kind = PLAN_KIND_TEST };
	char *fields[4] = { NULL };
	unsigned count = 0;
	int rc;

	for (char *field; count < 4 && (field = strsep(&line, "\t"));)
		fields[count++] = field;
	if (line || count != (set->of ? 1u : 4u))
		return fail(reader, err,
			    set->of ? "expected one id in" : "expected four columns in",
			    fields[0] ? fields[0] : "");
	rc = check_id(reader, fields[0], err);
	if (!rc && !set->of)
		rc = read_kind(reader, fields[1], &row.kind, err);
	if (rc < 0)
		return rc;
	row.id = xstrdup(fields[0]);
	row.title = xstrdup(fields[2]);
	row.reference = xstrdup(fields[3]);
	set->rows = xreallocarray(set->rows, set->row_count + 1, sizeof(*set->rows));
	set->rows[set->row_count++] = row;
	return 0;
}

static int read_set(const char *path, struct plan_set *set, struct err *err)
{
	struct reader reader = { .path = path, .set = set };
	auto_free char *text = NULL;
	char *rest, *line;
	size_t size;
	int rc;

	rc = fs_read_file(path, LIMIT_SCRIPT_BYTES, &text, &size, err);
	if (rc < 0)
		return rc;
	rest = text;
	while ((line = strsep(&rest, "\n"))) {
		reader.line++;
		if (!*line)
			continue;
		if (*line == '#')
			rc = line[1] == ' ' ? read_header(&reader, line + 2, err) : 0;
		else
			rc = read_row(&reader, line, err);
		if (rc < 0)
			return rc;
	}
	if (!set->title || !set->role || !set->row_count)
		return err_set(err, LAB_EPARSE, "%s: expected '# title:', '# role:' and rows",
			       path);
	return 0;
}

static void release_set(struct plan_set *set)
{
	for (size_t i = 0; i < set->row_count; i++) {
		free(set->rows[i].id);
		free(set->rows[i].title);
		free(set->rows[i].reference);
	}
	for (size_t i = 0; i < set->environment_count; i++)
		free(set->environment[i]);
	free(set->rows);
	free(set->environment);
	free(set->name);
	free(set->title);
	free(set->role);
	free(set->of);
}

void plan_free(struct plan *plan)
{
	if (!plan)
		return;
	for (size_t i = 0; i < plan->set_count; i++)
		release_set(&plan->sets[i]);
	free(plan->sets);
	free(plan);
}

static void free_plan_p(struct plan **plan)
{
	plan_free(*plan);
	*plan = NULL;
}

/* Rows of a set that is taken `of` another get their title and reference from there. */
static int complete_set(const struct plan *plan, struct plan_set *set, struct err *err)
{
	const struct plan_set *whole;

	if (!set->of)
		return 0;
	whole = plan_find(plan, set->of);
	if (!whole || whole->of)
		return err_set(err, LAB_EPARSE, "set '%s': no complete set '%s' to take tests of",
			       set->name, set->of);
	for (size_t i = 0; i < set->row_count; i++) {
		const struct plan_row *row = plan_set_find(whole, set->rows[i].id);

		if (!row)
			return err_set(err, LAB_EPARSE, "set '%s': no test '%s' in set '%s'",
				       set->name, set->rows[i].id, set->of);
		set->rows[i].kind = row->kind;
		set->rows[i].title = xstrdup(row->title);
		set->rows[i].reference = xstrdup(row->reference);
	}
	return 0;
}

static int is_plan_file(const struct dirent *entry)
{
	size_t size = strlen(entry->d_name);

	return size > 4 && !strcmp(entry->d_name + size - 4, ".tsv") &&
	       path_is_component(entry->d_name);
}

int plan_open(const char *folder, struct plan **ret_plan, struct err *err)
{
	auto_cleanup(free_plan_p) struct plan *plan = xcalloc(1, sizeof(*plan));
	struct dirent **entries = NULL;
	int rc = 0;
	int count = scandir(folder, &entries, is_plan_file, alphasort);

	if (count < 0)
		return err_set(err, -errno, "read folder '%s': %s", folder, strerror(errno));
	plan->sets = xcalloc((size_t)count + 1, sizeof(*plan->sets));
	for (int i = 0; i < count; i++) {
		const char *name = entries[i]->d_name;

		if (!rc) {
			auto_free char *path = path_join(folder, name);
			struct plan_set *set = &plan->sets[plan->set_count++];

			set->name = xstrndup(name, strlen(name) - 4);
			rc = read_set(path, set, err);
		}
		free(entries[i]);
	}
	free(entries);
	for (size_t i = 0; !rc && i < plan->set_count; i++)
		rc = complete_set(plan, &plan->sets[i], err);
	if (rc < 0)
		return rc;
	*ret_plan = STEAL_PTR(plan);
	return 0;
}

const struct plan_set *plan_find(const struct plan *plan, const char *name)
{
	for (size_t i = 0; i < plan->set_count; i++)
		if (!strcmp(plan->sets[i].name, name))
			return &plan->sets[i];
	return NULL;
}

const struct plan_row *plan_set_find(const struct plan_set *set, const char *id)
{
	for (size_t i = 0; i < set->row_count; i++)
		if (!strcmp(set->rows[i].id, id))
			return &set->rows[i];
	return NULL;
}

size_t plan_set_count(const struct plan_set *set, enum plan_kind kind)
{
	size_t count = 0;

	for (size_t i = 0; i < set->row_count; i++)
		count += set->rows[i].kind == kind;
	return count;
}
