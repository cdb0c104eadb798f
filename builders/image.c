/*
 * Job kind "image": the initramfs that a kernel boots as a NUT, made of the
 * programs (builders/root.c), our /init and the modules that the kernel has not
 * built in. The kernel and its configuration are looked at first, because a
 * kernel that cannot be a NUT would only time out at boot.
 */
#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <fcntl.h>

#include "base/alloc.h"
#include "base/buf.h"
#include "base/cleanup.h"
#include "base/err.h"
#include "base/fs.h"
#include "base/hash.h"
#include "base/json.h"
#include "base/limits.h"
#include "builders/archive.h"
#include "builders/job.h"
#include "builders/kconfig.h"
#include "builders/kinds.h"
#include "builders/modules.h"
#include "builders/root.h"

#define MODULES_BYTES_MAX   (4096ll << 20)
#define MODULES_ENTRIES_MAX 100000

/* Documentation/arch/x86/boot.rst: the setup header has "HdrS" at 0x202. */
#define BOOT_MAGIC_OFFSET 0x202

/* What a NUT cannot do without, as option and as module. */
static const struct need {
	const char *option;
	const char *module; /* NULL if it is never one */
	bool is_vital;      /* without it there is no NUT */
} needs[] = {
	{ "CONFIG_BLK_DEV_INITRD", NULL, true },
	{ "CONFIG_SERIAL_8250_CONSOLE", NULL, true },
	{ "CONFIG_FILE_LOCKING", NULL, true }, /* the guest agent locks its state file */
	{ "CONFIG_RD_ZSTD", NULL, true },
	{ "CONFIG_VIRTIO_PCI", "virtio_pci", true },
	{ "CONFIG_VIRTIO_NET", "virtio_net", true },
	{ "CONFIG_VIRTIO_CONSOLE", "virtio_console", true },
	{ "CONFIG_IPV6", "ipv6", true },
	{ "CONFIG_VIRTIO_BLK", "virtio_blk", false },
};
#define NEED_COUNT (sizeof(needs) / sizeof(needs[0]))

static int check_image(const char *path, struct err *err)
{
	char magic[4];
	auto_close int fd = open(path, O_RDONLY | O_CLOEXEC);

	if (fd < 0)
		return err_set(err, -errno, "kernel image '%s': %s", path, strerror(errno));
	if (pread(fd, magic, sizeof(magic), BOOT_MAGIC_OFFSET) != (ssize_t)sizeof(magic) ||
	    memcmp(magic, "HdrS", sizeof(magic)) != 0)
		return err_set(err, LAB_EINVALID,
			       "'%s' is no x86 kernel image (bzImage): it has no boot header",
			       path);
	return 0;
}

static bool has_module(const struct module_list *modules, const char *name)
{
	for (size_t i = 0; i < modules->count; i++) {
		if (strcmp(modules->items[i].name, name) == 0)
			return true;
	}
	return false;
}

static int check_needs(const char *path, const struct module_list *modules, struct err *err)
{
	auto_cleanup(kconfig_free_p) struct kconfig *config = NULL;
	int rc = kconfig_read(path, &config, err);

	for (size_t i = 0; i < NEED_COUNT && rc == 0; i++) {
		const char *value = kconfig_get(config, needs[i].option);

		if (!needs[i].is_vital)
			continue;
		if (!value)
			rc = err_set(err, LAB_EINVALID,
				     "the kernel's configuration lacks %s, which a NUT needs",
				     needs[i].option);
		else if (strcmp(value, "m") == 0 && needs[i].module &&
			 !has_module(modules, needs[i].module))
			rc = err_set(err, LAB_EINVALID,
				     "the kernel has %s=m, but its modules hold no '%s'",
				     needs[i].option, needs[i].module);
	}
	return rc;
}

static int count_entry(int64_t entries, int64_t bytes, void *user, struct err *err)
{
	struct job *job = user;

	(void)bytes;
	job_progress(job, "modules", entries, 0, "unpacking the modules");
	return job_check_cancelled(job, err);
}

/* The modules the NUT needs, from a folder or a tarball; none when the job names none. */
static int load_modules(struct job *job, struct module_list *ret_modules, struct err *err)
{
	const char *path = json_string_or(job->spec, "modules", NULL);
	const char *wanted[NEED_COUNT + 1];
	size_t count = 0;
	auto_free char *unpacked = path_join(job->scratch, "modules");
	struct unpack_spec spec = {
		.archive = path,
		.folder = unpacked,
		.links = ARCHIVE_LINKS_ROOTED,
		.max_bytes = MODULES_BYTES_MAX,
		.max_entries = MODULES_ENTRIES_MAX,
		.on_entry = count_entry,
		.user = job,
	};
	struct stat st;
	int rc;

	if (!path)
		return 0;
	for (size_t i = 0; i < NEED_COUNT; i++) {
		if (needs[i].module)
			wanted[count++] = needs[i].module;
	}
	wanted[count] = NULL;
	if (stat(path, &st) < 0)
		return err_set(err, -errno, "modules '%s': %s", path, strerror(errno));
	if (S_ISDIR(st.st_mode))
		return module_list_load(path, wanted, ret_modules, err);
	rc = fs_mkdir_parents(unpacked, 0755, err);
	if (rc == 0)
		rc = archive_unpack(&spec, err);
	if (rc == 0)
		rc = module_list_load(unpacked, wanted, ret_modules, err);
	(void)fs_remove_tree(unpacked, NULL); /* the scratch folder goes with the job anyway */
	return rc;
}

static int add_modules(struct archive_writer *writer, const struct module_list *modules,
		       struct err *err)
{
	auto_cleanup(buf_release_p) struct buf order = BUF_INIT(64u << 10);
	int rc = archive_writer_add_folder(writer, "lib/modules", 0755, err);

	for (size_t i = 0; i < modules->count && rc == 0; i++) {
		const struct module *module = &modules->items[i];
		auto_free char *path = xasprintf("lib/modules/%s.ko", module->name);

		buf_printf(&order, "/%s\n", path);
		rc = archive_writer_add_bytes(writer, path, 0644, module->data, module->size, err);
	}
	if (rc < 0 || order.size == 0)
		return rc;
	return archive_writer_add_bytes(writer, "etc/testlab/modules", 0644, order.data, order.size,
					err);
}

static int write_initramfs(const char *path, const char *root, const char *init, size_t init_size,
			   const struct module_list *modules, struct err *err)
{
	auto_cleanup(archive_writer_free_p) struct archive_writer *writer = NULL;
	int rc = archive_writer_open(path, ARCHIVE_CPIO_ZSTD, &writer, err);

	if (rc == 0)
		rc = archive_writer_add_tree(writer, root, "", err);
	/* The kernel opens it as the first process's stdin, stdout and stderr. */
	if (rc == 0)
		rc = archive_writer_add_device(writer, "dev/console", 0600, 5, 1, err);
	if (rc == 0)
		rc = archive_writer_add_bytes(writer, "init", 0755, init, init_size, err);
	if (rc == 0)
		rc = add_modules(writer, modules, err);
	return rc < 0 ? rc : archive_writer_finish(STEAL_PTR(writer), err);
}

static int read_init(char **ret_text, size_t *ret_size, struct err *err)
{
	auto_free char *data = NULL;
	auto_free char *path = NULL;
	int rc = fs_find_data(&data, err);

	if (rc < 0)
		return rc;
	path = path_join(data, "builders/root/init");
	return fs_read_file(path, LIMIT_SCRIPT_BYTES, ret_text, ret_size, err);
}

int image_run(struct job *job, json_t *done, struct err *err)
{
	auto_cleanup(module_list_release_p) struct module_list modules = { .count = 0 };
	auto_free char *folder = path_join(job->scratch, "out");
	auto_free char *path = path_join(folder, "initramfs.img");
	auto_free char *root = NULL;
	auto_free char *version = NULL;
	auto_free char *init = NULL;
	size_t init_size = 0;
	const char *image, *role;
	const char *config = json_string_or(job->spec, "config", NULL);
	int rc = json_get_string(job->spec, "image", &image, err);

	if (rc == 0)
		rc = json_get_string(job->spec, "role", &role, err);
	if (rc == 0)
		rc = check_image(image, err);
	if (rc == 0)
		rc = load_modules(job, &modules, err);
	if (rc == 0 && config)
		rc = check_needs(config, &modules, err);
	if (rc == 0)
		rc = root_prepare(job, role, &root, &version, err);
	if (rc == 0)
		rc = read_init(&init, &init_size, err);
	if (rc == 0)
		rc = fs_mkdir_parents(folder, 0755, err);
	if (rc < 0)
		return rc;
	job_progress(job, "pack", 0, 0, "writing the initramfs");
	rc = write_initramfs(path, root, init, init_size, &modules, err);
	if (rc < 0)
		return rc;
	job_decide(job, "build", "made the NUT image for role '%s' from %s and %zu modules", role,
		   version, modules.count);
	(void)json_object_set_new(done, "root_version", json_string(version));
	return job_artifact(job, "initramfs", "initramfs.img", "out/initramfs.img", err);
}
