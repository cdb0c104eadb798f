/*
 * Writing pcapng: section header, interface descriptions, enhanced packet
 * blocks, in the byte order of this machine (the magic number tells which).
 * Each block goes out in one write, so that a reader sees whole blocks.
 */
#include "packets/pcapng.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/buf.h"
#include "base/cleanup.h"
#include "base/err.h"
#include "base/limits.h"

#define BLOCK_SECTION       0x0a0d0d0au
#define BLOCK_INTERFACE     0x00000001u
#define BLOCK_PACKET        0x00000006u
#define BYTE_ORDER_MAGIC    0x1a2b3c4du
#define LINKTYPE_ETHERNET   1u
#define TSRESOL_NANOSECONDS 9u

enum option_code {
	OPT_END = 0,
	OPT_COMMENT = 1,
	OPT_IF_NAME = 2,
	OPT_SHB_USERAPPL = 4,
	OPT_EPB_FLAGS = 2,
	OPT_IF_TSRESOL = 9,
};

/* Longest text of an option: its length has 16 bits. */
#define OPTION_TEXT_MAX 65532u
#define BLOCK_MAX       (LIMIT_FRAME_BYTES + 2 * OPTION_TEXT_MAX + 256u)

struct pcapng {
	int fd;
	char *path;           /* for messages */
	int interface_count;  /* described so far */
	uint64_t frame_count; /* on all interfaces */
};

/* --- blocks --------------------------------------------------------------------------- */

static void append_u16(struct buf *block, uint16_t value)
{
	buf_append(block, &value, sizeof(value));
}

static void append_u32(struct buf *block, uint32_t value)
{
	buf_append(block, &value, sizeof(value));
}

static void append_padded(struct buf *block, const void *data, size_t size)
{
	static const uint8_t zeros[3];

	buf_append(block, data, size);
	buf_append(block, zeros, (4 - size % 4) % 4);
}

static void append_option(struct buf *block, enum option_code code, const void *data, size_t size)
{
	append_u16(block, (uint16_t)code);
	append_u16(block, (uint16_t)size);
	append_padded(block, data, size);
}

/* A NULL text is no option; a long one is cut, at the end of a UTF-8 character. */
static void append_text_option(struct buf *block, enum option_code code, const char *text)
{
	size_t size = text ? strlen(text) : 0;

	if (size > OPTION_TEXT_MAX) {
		size = OPTION_TEXT_MAX;
		while (size > 0 && ((unsigned char)text[size] & 0xc0) == 0x80)
			size--;
	}
	if (size)
		append_option(block, code, text, size);
}

static void begin_block(struct buf *block, uint32_t type)
{
	append_u32(block, type);
	append_u32(block, 0); /* length: known at the end */
}

static int write_block(struct pcapng *pcapng, struct buf *block, struct err *err)
{
	uint32_t size = (uint32_t)block->size + 4;
	size_t written = 0;

	append_u32(block, size);
	if (block->overflow)
		return err_set(err, LAB_ELIMIT, "write capture '%s': the frame is too large",
			       pcapng->path);
	memcpy(block->data + 4, &size, sizeof(size));
	while (written < block->size) {
		ssize_t n = write(pcapng->fd, block->data + written, block->size - written);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return err_set(err, -errno, "write capture '%s': %s", pcapng->path,
				       strerror(errno));
		written += (size_t)n;
	}
	return 0;
}

static int write_section(struct pcapng *pcapng, const char *application, const char *comment,
			 struct err *err)
{
	auto_cleanup(buf_release_p) struct buf block = BUF_INIT(BLOCK_MAX);

	begin_block(&block, BLOCK_SECTION);
	append_u32(&block, BYTE_ORDER_MAGIC);
	append_u16(&block, 1); /* version 1.0 */
	append_u16(&block, 0);
	append_u32(&block, UINT32_MAX); /* length of the section: not said, 64 bits of ones */
	append_u32(&block, UINT32_MAX);
	append_text_option(&block, OPT_COMMENT, comment);
	append_text_option(&block, OPT_SHB_USERAPPL, application);
	append_option(&block, OPT_END, NULL, 0);
	return write_block(pcapng, &block, err);
}

/* --- the file ------------------------------------------------------------------------- */

static void free_pcapng_p(struct pcapng **pcapng)
{
	pcapng_free(*pcapng);
}

int pcapng_open(const char *path, const char *application, const char *comment,
		struct pcapng **ret_pcapng, struct err *err)
{
	auto_cleanup(free_pcapng_p) struct pcapng *pcapng = xcalloc(1, sizeof(*pcapng));
	int rc;

	pcapng->path = xstrdup(path);
	pcapng->fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
	if (pcapng->fd < 0)
		return err_set(err, -errno, "create capture '%s': %s", path, strerror(errno));
	rc = write_section(pcapng, application, comment, err);
	if (rc < 0)
		return rc;
	*ret_pcapng = STEAL_PTR(pcapng);
	return 0;
}

int pcapng_add_interface(struct pcapng *pcapng, const char *name, struct err *err)
{
	auto_cleanup(buf_release_p) struct buf block = BUF_INIT(BLOCK_MAX);
	uint8_t resolution = TSRESOL_NANOSECONDS;
	int rc;

	begin_block(&block, BLOCK_INTERFACE);
	append_u16(&block, LINKTYPE_ETHERNET);
	append_u16(&block, 0); /* reserved */
	append_u32(&block, 0); /* snap length: no limit */
	append_text_option(&block, OPT_IF_NAME, name);
	append_option(&block, OPT_IF_TSRESOL, &resolution, sizeof(resolution));
	append_option(&block, OPT_END, NULL, 0);
	rc = write_block(pcapng, &block, err);
	return rc < 0 ? rc : pcapng->interface_count++;
}

int pcapng_write(struct pcapng *pcapng, int interface, int64_t time_ns,
		 enum pcapng_direction direction, const void *frame, size_t size,
		 const char *comment, struct err *err)
{
	auto_cleanup(buf_release_p) struct buf block = BUF_INIT(BLOCK_MAX);
	uint32_t flags = (uint32_t)direction;
	int rc;

	if (interface < 0 || interface >= pcapng->interface_count)
		return err_set(err, LAB_EINVALID, "write capture '%s': there is no interface %d",
			       pcapng->path, interface);
	begin_block(&block, BLOCK_PACKET);
	append_u32(&block, (uint32_t)interface);
	append_u32(&block, (uint32_t)((uint64_t)time_ns >> 32));
	append_u32(&block, (uint32_t)(uint64_t)time_ns);
	append_u32(&block, (uint32_t)size); /* captured */
	append_u32(&block, (uint32_t)size); /* on the link */
	append_padded(&block, frame, size);
	append_text_option(&block, OPT_COMMENT, comment);
	if (direction != PCAPNG_UNKNOWN)
		append_option(&block, OPT_EPB_FLAGS, &flags, sizeof(flags));
	append_option(&block, OPT_END, NULL, 0);
	rc = write_block(pcapng, &block, err);
	if (rc < 0)
		return rc;
	pcapng->frame_count++;
	return 0;
}

int pcapng_close(struct pcapng *pcapng, uint64_t *ret_frame_count, struct err *err)
{
	uint64_t count = pcapng->frame_count;
	int rc = 0;

	if (close(STEAL_FD(pcapng->fd)) < 0)
		rc = err_set(err, -errno, "write capture '%s': %s", pcapng->path, strerror(errno));
	pcapng_free(pcapng);
	if (!rc && ret_frame_count)
		*ret_frame_count = count;
	return rc;
}

void pcapng_free(struct pcapng *pcapng)
{
	if (!pcapng)
		return;
	if (pcapng->fd >= 0)
		(void)close(pcapng->fd); /* whoever cares calls pcapng_close */
	free(pcapng->path);
	free(pcapng);
}
