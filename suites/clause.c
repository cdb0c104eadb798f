#include "suites/clause.h"

#include <dirent.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/cleanup.h"
#include "base/err.h"
#include "base/fs.h"
#include "base/limits.h"
#include "suites/script.h"
#include "suites/suite.h"

static const char *const who_words[CLAUSE_WHO_COUNT_] = {
	[CLAUSE_WHO_HOST] = "host",
	[CLAUSE_WHO_ROUTER] = "router",
	[CLAUSE_WHO_BOTH] = "both",
};

/* Reading of one file. */
struct reader {
	const char *path;
	unsigned line; /* from 1 */
	struct clause_list *list;
	struct clause_file *file;
};

static int fail(const struct reader *reader, struct err *err, const char *what, const char *value)
{
	return err_set(err, LAB_EPARSE, "%s:%u: %s '%s'", reader->path, reader->line, what, value);
}

static int read_who(const struct reader *reader, const char *text, enum clause_who *ret_who,
		    struct err *err)
{
	for (int i = 0; i < CLAUSE_WHO_COUNT_; i++) {
		if (!strcmp(text, who_words[i])) {
			*ret_who = (enum clause_who)i;
			return 0;
		}
	}
	return fail(reader, err, "expected host, router or both, not", text);
}

static struct clause *find(const struct clause_list *list, const char *name)
{
	for (size_t i = 0; i < list->count; i++)
		if (!strcmp(list->clauses[i].name, name))
			return &list->clauses[i];
	return NULL;
}

static struct clause *add_clause(struct reader *reader, const char *name, const char *section,
				 const char *level)
{
	struct clause_list *list = reader->list;

	list->clauses = xreallocarray(list->clauses, list->count + 1, sizeof(*list->clauses));
	list->clauses[list->count] = (struct clause){ .name = xstrdup(name),
						      .section = xstrdup(section),
						      .level = xstrdup(level),
						      .file = reader->file };
	return &list->clauses[list->count++];
}

static int add_requirement(const struct reader *reader, struct clause *clause, const char *summary,
			   enum clause_who who, struct err *err)
{
	struct clause_requirement *requirement;

	for (size_t i = 0; i < clause->requirement_count; i++)
		if (!strcmp(clause->requirements[i].summary, summary))
			return fail(reader, err, "listed twice:", summary);
	clause->requirements = xreallocarray(clause->requirements, clause->requirement_count + 1,
					     sizeof(*clause->requirements));
	requirement = &clause->requirements[clause->requirement_count++];
	*requirement = (struct clause_requirement){ .summary = xstrdup(summary), .who = who };
	return 0;
}

/* "section<TAB>level<TAB>summary<TAB>who" */
static int read_row(struct reader *reader, char *line, struct err *err)
{
	auto_free char *name = NULL;
	char *fields[4] = { NULL };
	enum script_level level;
	enum clause_who who = CLAUSE_WHO_BOTH;
	struct clause *clause;
	unsigned count = 0;
	int rc;

	for (char *field; count < 4 && (field = strsep(&line, "\t"));)
		fields[count++] = field;
	if (line || count != 4)
		return fail(reader, err, "expected section, level, summary and who in",
			    fields[0] ? fields[0] : "");
	if (!*fields[2])
		return fail(reader, err, "no summary of section", fields[0]);
	name = xasprintf("RFC %u %s %s", reader->file->rfc, fields[0], fields[1]);
	rc = script_parse_clause(name, &level, err);
	if (rc < 0)
		return fail(reader, err, "expected section and level, such as '4.2 must', in",
			    name);
	rc = read_who(reader, fields[3], &who, err);
	if (rc < 0)
		return rc;
	clause = find(reader->list, name);
	if (!clause)
		clause = add_clause(reader, name, fields[0], fields[1]);
	return add_requirement(reader, clause, fields[2], who, err);
}

static int read_file(const char *path, struct clause_list *list, struct clause_file *file,
		     struct err *err)
{
	struct reader reader = { .path = path, .list = list, .file = file };
	auto_free char *text = NULL;
	size_t size, before = list->count;
	char *rest, *line;
	int rc;

	rc = fs_read_file(path, LIMIT_SCRIPT_BYTES, &text, &size, err);
	if (rc < 0)
		return rc;
	rest = text;
	while ((line = strsep(&rest, "\n"))) {
		reader.line++;
		if (!*line)
			continue;
		if (*line != '#') {
			rc = read_row(&reader, line, err);
			if (rc < 0)
				return rc;
		} else if (!strncmp(line, "# title: ", 9)) {
			free(file->title);
			file->title = xstrdup(line + 9);
		} /* any other '#' is a remark */
	}
	if (!file->title || list->count == before)
		return err_set(err, LAB_EPARSE, "%s: expected '# title:' and rows", path);
	return 0;
}

void clause_list_free(struct clause_list *list)
{
	if (!list)
		return;
	for (size_t i = 0; i < list->count; i++) {
		struct clause *clause = &list->clauses[i];

		for (size_t j = 0; j < clause->requirement_count; j++)
			free(clause->requirements[j].summary);
		free(clause->requirements);
		free(clause->name);
		free(clause->section);
		free(clause->level);
	}
	for (size_t i = 0; i < list->file_count; i++)
		free(list->files[i].title);
	free(list->clauses);
	free(list->files);
	free(list);
}

static void free_list_p(struct clause_list **list)
{
	clause_list_free(*list);
	*list = NULL;
}

/* The number in "rfc8200.tsv"; 0 if the name is none of ours. */
static unsigned rfc_of(const char *name)
{
	unsigned long number;
	char *end;

	if (strncmp(name, "rfc", 3) != 0 || name[3] < '1' || name[3] > '9')
		return 0;
	number = strtoul(name + 3, &end, 10);
	return !strcmp(end, ".tsv") && number <= 99999 ? (unsigned)number : 0;
}

static int is_clause_file(const struct dirent *entry)
{
	return rfc_of(entry->d_name) != 0;
}

int clause_list_open(const char *folder, struct clause_list **ret_list, struct err *err)
{
	auto_cleanup(free_list_p) struct clause_list *list = xcalloc(1, sizeof(*list));
	struct dirent **entries = NULL;
	int rc = 0;
	int count = scandir(folder, &entries, is_clause_file, versionsort);

	if (count < 0)
		return err_set(err, -errno, "read folder '%s': %s", folder, strerror(errno));
	list->files = xcalloc((size_t)count + 1, sizeof(*list->files));
	for (int i = 0; i < count; i++) {
		if (!rc) {
			auto_free char *path = path_join(folder, entries[i]->d_name);
			struct clause_file *file = &list->files[list->file_count++];

			file->rfc = rfc_of(entries[i]->d_name);
			rc = read_file(path, list, file, err);
		}
		free(entries[i]);
	}
	free(entries);
	if (rc < 0)
		return rc;
	*ret_list = STEAL_PTR(list);
	return 0;
}

const struct clause *clause_list_find(const struct clause_list *list, const char *name)
{
	return find(list, name);
}

int clause_list_check(const struct clause_list *list, const struct suite *suite, struct err *err)
{
	for (size_t i = 0; i < script_host_count(suite->host); i++) {
		const struct script_test *test = script_host_test(suite->host, i);

		for (unsigned j = 0; test->clauses[j]; j++)
			if (!find(list, test->clauses[j]))
				return err_set(err, LAB_EINVALID,
					       "%s:%u: test '%s': clause '%s' is in no file of "
					       "suites/clauses",
					       test->file, test->line, test->id, test->clauses[j]);
	}
	return 0;
}

static bool test_names(const struct script_test *test, const char *name)
{
	for (unsigned i = 0; test->clauses[i]; i++)
		if (!strcmp(test->clauses[i], name))
			return true;
	return false;
}

static json_t *clause_to_json(const struct clause *clause, const struct suite *suite)
{
	json_t *requirements = json_array(), *tests = json_array();

	for (size_t i = 0; i < clause->requirement_count; i++) {
		const struct clause_requirement *requirement = &clause->requirements[i];

		(void)json_array_append_new(requirements,
					    json_pack("{s:s,s:s}", "summary", requirement->summary,
						      "who", who_words[requirement->who]));
	}
	for (size_t i = 0; i < script_host_count(suite->host); i++) {
		const struct script_test *test = script_host_test(suite->host, i);

		if (test_names(test, clause->name))
			(void)json_array_append_new(tests, json_string(test->id));
	}
	return json_pack("{s:s,s:I,s:s,s:s,s:s,s:o,s:o}", "name", clause->name, "rfc",
			 (json_int_t)clause->file->rfc, "rfc_title", clause->file->title, "section",
			 clause->section, "level", clause->level, "requirements", requirements,
			 "tests", tests);
}

json_t *clause_list_to_json(const struct clause_list *list, const struct suite *suite)
{
	json_t *clauses = json_array();

	for (size_t i = 0; i < list->count; i++)
		(void)json_array_append_new(clauses, clause_to_json(&list->clauses[i], suite));
	return clauses;
}
