/*
 * What the pages do better with script: progress moves by itself, and tables
 * can be filtered. Nothing here is needed to read a page.
 */
"use strict";

(() => {
	const POLL_MS = 2000;
	const FILTER_ROWS = 8; /* shorter tables need no filter */

	/* --- filters ------------------------------------------------------------- */

	const add_filters = () => {
		for (const table of document.querySelectorAll("table[data-filter]")) {
			const rows = [...table.tBodies[0].rows];

			if (rows.length < FILTER_ROWS || table.parentElement.previousElementSibling?.matches(".filter"))
				continue;
			const input = document.createElement("input");

			input.type = "search";
			input.className = "filter";
			input.placeholder = `Filter ${rows.length} rows, such as FAIL or 2.1`;
			input.setAttribute("aria-label", "Filter the table");
			input.addEventListener("input", () => {
				const words = input.value.toLowerCase().split(/\s+/);

				for (const row of rows) {
					const text = row.textContent.toLowerCase();

					row.hidden = !words.every((word) => text.includes(word));
				}
			});
			table.parentElement.before(input);
		}
	};

	/* --- live progress ------------------------------------------------------- */

	/* What makes a new page necessary: other jobs, other states, another test done. */
	const shape = (status) =>
		JSON.stringify([
			status.health,
			status.jobs.map((job) => [job.job_id, job.run_id ? job.done : null]),
			status.cycles.map((cycle) => [cycle.cycle_id, cycle.state, cycle.note]),
		]);

	const show_job = (job) => {
		for (const place of document.querySelectorAll(`[data-job="${job.job_id}"]`)) {
			const bar = place.querySelector("progress");

			if (job.total > 0) {
				bar.max = job.total;
				bar.value = Math.min(job.done ?? 0, job.total);
				place.querySelector("[data-figures]").textContent = `${job.done ?? 0} of ${job.total}`;
			}
			place.querySelector("[data-phase]").textContent = job.phase ?? "";
			place.querySelector("[data-text]").textContent = job.text ?? "";
		}
	};

	/* Take the parts that live from a fresh copy of this page, as the server made it. */
	const renew = async () => {
		const answer = await fetch(location.href);
		const fresh = new DOMParser().parseFromString(await answer.text(), "text/html");

		if (!answer.ok || document.activeElement?.matches(".filter"))
			return; /* do not take the table away from under a reader who filters it */
		for (const part of document.querySelectorAll("[data-live]")) {
			const other = fresh.querySelector(`[data-live="${CSS.escape(part.dataset.live)}"]`);

			if (other)
				part.replaceWith(document.importNode(other, true));
		}
		add_filters();
	};

	let seen = null;

	const poll = async () => {
		try {
			const status = await (await fetch("/api/v1/status")).json();

			if (seen !== null && seen !== shape(status))
				await renew();
			status.jobs.forEach(show_job);
			seen = shape(status);
		} catch {
			/* the lab is restarting: try again */
		}
		setTimeout(poll, document.hidden ? 5 * POLL_MS : POLL_MS);
	};

	add_filters();
	if (document.querySelector("[data-live]"))
		poll();
})();
