-- Section 1.3 of the Core Protocols list: fragments and their reassembly, RFC 8200 section 4.5.
local echo = use "echo"
local errors = use "errors"
local options = use "options"
local pmtu = use "pmtu"
local reassembly = use "reassembly"
local setup = use "setup"
local silence = use "silence"

local REASSEMBLE = "RFC 8504 5.1 MUST"
local REASSEMBLED = { REASSEMBLE, echo.REPLY, setup.ADDRESS }
local TIMED_OUT = {
	reassembly.ABANDON, reassembly.REPORT, errors.SOURCE, errors.QUOTE, echo.REPLY, setup.ADDRESS,
}

-- The addresses of a part: from TN1 to the NUT, link-local, or global after set-up 1.1.
local function addresses(t, is_global)
	if is_global then
		local address = setup.one_router(t)
		return t.tn1.global, address
	end
	return t.tn1.link_local, t.nut.link_local
end

-- 1.3.1: three fragments in some order. `order` names them by their number in the packet.
local function reassembly_test(part, name, order)
	test {
		id = "v6LC.1.3.1." .. part,
		title = string.format("Fragment Reassembly - Part %s: %s", part, name),
		role = "host",
		requires = REASSEMBLED,
		timeout = 60,
		run = function(t)
			setup.one_router(t)
			local from, to = addresses(t, false)
			local pieces = reassembly.fragments_of(1, from, to, 0x1310)
			reassembly.send(t, t.tn1, { pieces[order[1]], pieces[order[2]], pieces[order[3]] })
			reassembly.expect_reply(t, t.tn1, 1, from, to, REASSEMBLE)
			echo.control(t, t.tn1, 2)
		end,
	}
end

reassembly_test("A", "All Fragments are Valid", { 1, 2, 3 })
reassembly_test("B", "All Fragments are Valid, reverse order", { 3, 2, 1 })

-- 1.3.1: the second fragment belongs to another packet, so neither becomes whole. `stranger` gives
-- it and who sends it. At the end of the 60 seconds the first packet is reported, whose first
-- fragment is there, and the other is not.
local function mixture_test(part, name, stranger)
	test {
		id = "v6LC.1.3.1." .. part,
		title = string.format("Fragment Reassembly - Part %s: %s", part, name),
		role = "host",
		requires = TIMED_OUT,
		timeout = 180,
		run = function(t)
			local global = setup.one_router(t)
			echo.control(t, t.tn1, 2)
			local from, to = addresses(t, false)
			local pieces = reassembly.fragments_of(1, from, to, 2999)
			local second, sender = stranger(t, pieces[2], global)
			local first, began = reassembly.send(t, t.tn1, { pieces[1] })
			sender:send(second)
			t.tn1:send(pieces[3])
			reassembly.expect_timeout(t, t.tn1, first, began)
			t:expect_none(echo.any_reply(1), { during = 0, clause = reassembly.ABANDON,
				why = "fragments of different packets must not be put together" })
			silence.no_error(t, reassembly.rest(t, began), reassembly.REPORT,
				"a packet whose first fragment did not come is not reported")
			echo.control(t, t.tn1, 3)
		end,
	}
end

mixture_test("C", "Fragment IDs Differ Between Fragments", function(t, piece)
	return piece:with("fragment", { identification = 3000 }), t.tn1
end)
mixture_test("D", "Source Addresses Differ Between Fragments", function(t, piece)
	return piece:with("ip6", { src = t.tr2.link_local }), t.tr2
end)
mixture_test("E", "Destination Address Differ Between Fragments", function(t, piece, global)
	return piece:with("ip6", { dst = global }), t.tn1
end)

test {
	id = "v6LC.1.3.1.F",
	title = "Fragment Reassembly - Part F: Reassemble to 1500",
	role = "host",
	requires = pmtu.clauses{ "RFC 8200 5 must" },
	timeout = 60,
	run = function(t)
		setup.one_router(t)
		local path = pmtu.path_on_link(t, t.tn1, t.tn1.link_local, t.nut.link_local)
		-- Three fragments of 488, 488 and 484 octets behind the Fragment header.
		path.fragment_to = 536
		pmtu.expect_reply(t, path, 1500, "RFC 8200 5 must")
	end,
}

test {
	id = "v6LC.1.3.2.A",
	title = "Reassembly Time Exceeded - Part A: Time Elapsed Between Fragments less than Sixty Seconds",
	role = "host",
	requires = { reassembly.ABANDON, echo.REPLY, setup.ADDRESS },
	timeout = 120,
	run = function(t)
		local from, to = addresses(t, true)
		echo.control(t, t.tn1, 3, from, to)
		local pieces = reassembly.fragments_of(1, from, to, 0x1320)
		t.tn1:send(pieces[1])
		t:wait(55)
		reassembly.send(t, t.tn1, { pieces[2], pieces[3] })
		reassembly.expect_reply(t, t.tn1, 1, from, to, reassembly.ABANDON)
		-- 60 s after the first fragment there is nothing left to give up.
		silence.no_error(t, reassembly.LATEST - 55, reassembly.ABANDON, "a packet that became whole is not given up")
	end,
}

test {
	id = "v6LC.1.3.2.B",
	title = "Reassembly Time Exceeded - Part B: Time Exceeded Before Last Fragments Arrive",
	role = "host",
	requires = TIMED_OUT,
	timeout = 240,
	run = function(t)
		local from, to = addresses(t, true)
		echo.control(t, t.tn1, 3, from, to)
		local pieces = reassembly.fragments_of(1, from, to, 0x1321)
		local first, began = reassembly.send(t, t.tn1, { pieces[1] })
		reassembly.expect_timeout(t, t.tn1, first, began)
		-- The list sends the rest after 65 s, when a coarse timer may not have ended yet.
		t:wait(reassembly.rest(t, began))
		local _, again = reassembly.send(t, t.tn1, { pieces[2], pieces[3] })
		silence.expect(t, 1, reassembly.ABANDON, "the first fragment must have been discarded",
			reassembly.rest(t, again))
		echo.control(t, t.tn1, 2)
	end,
}

-- 1.3.2 C and D: only the first fragment comes.
local function first_only_test(part, name, is_global)
	test {
		id = "v6LC.1.3.2." .. part,
		title = string.format("Reassembly Time Exceeded - Part %s: Time Exceeded (%s), Only First Fragment Received",
			part, name),
		role = "host",
		requires = TIMED_OUT,
		timeout = 120,
		run = function(t)
			setup.one_router(t)
			local from, to = t.tn1.link_local, t.nut.link_local
			if is_global then
				from, to = t.tn1.global, t.nut:address_in(setup.PREFIX_X)
			end
			echo.control(t, t.tn1, 3, from, to)
			local pieces = reassembly.fragments_of(1, from, to, 0x1322)
			local first, began = reassembly.send(t, t.tn1, { pieces[1] })
			reassembly.expect_timeout(t, t.tn1, first, began)
			t:expect_none(echo.any_reply(1), { during = 1, clause = reassembly.ABANDON })
			echo.control(t, t.tn1, 2)
		end,
	}
end

first_only_test("C", "Global", true)
first_only_test("D", "Link-local", false)

test {
	id = "v6LC.1.3.2.E",
	title = "Reassembly Time Exceeded - Part E: Time Exceeded, Only Second Fragment Received",
	role = "host",
	requires = { reassembly.REPORT, reassembly.ABANDON, echo.REPLY, setup.ADDRESS },
	timeout = 120,
	run = function(t)
		local from, to = addresses(t, true)
		echo.control(t, t.tn1, 1, from, to)
		local pieces = reassembly.fragments_of(2, from, to, 0x1324)
		t.tn1:send(pieces[2])
		t:expect_none(echo.any_reply(2), { during = reassembly.LATEST, clause = reassembly.ABANDON })
		silence.no_error(t, 0, reassembly.REPORT, "only a packet whose first fragment came is reported")
		echo.control(t, t.tn1, 3)
	end,
}

test {
	id = "v6LC.1.3.3",
	title = "Fragment Header M-Bit Set, Payload Length Invalid",
	role = "host",
	requires = {
		"RFC 8200 4.5 must", "RFC 8200 4.5 should", "RFC 4443 2.2 MUST", "RFC 4443 2.4 MUST", "RFC 4443 4.2 MUST",
	},
	run = function(t)
		echo.control(t, t.tn1, 3)
		-- More fragments follow, but this one is 13 octets long, which is no multiple of 8. The
		-- pointer is to the Payload Length field.
		local sent = t.tn1:send(ip6{ src = t.tn1.link_local, dst = t.nut.link_local }
			/ fragment{ more = 1, identification = 0x1330 } / echo.request(1, 5))
		errors.expect_problem(t, sent, { to = t.tn1, code = 0, pointer = 4, clause = "RFC 8200 4.5 should" })
		silence.no_reply(t, 1, "RFC 8200 4.5 must")
		echo.control(t, t.tn1, 2)
	end,
}

-- 1.3.4: a Fragment header around a whole packet. The reply is whole and has none.
local function atomic_test(id, title, is_global)
	test {
		id = id,
		title = title,
		role = "host",
		requires = { "RFC 6946 4 MUST", "RFC 8504 5.1 MUST NOT", "RFC 4443 4.2 MUST", "RFC 4862 5.4 MUST" },
		timeout = 60,
		run = function(t)
			local from, to = addresses(t, is_global)
			local function send_atomic(number)
				t.tn1:send(ip6{ src = from, dst = to } / fragment{ identification = 0x1340 } / echo.request(number))
				t:expect(echo.reply(number, 8, { src = to, dst = from }),
					{ to = t.tn1, within = echo.WINDOW, clause = "RFC 6946 4 MUST" })
				t:expect_none(fragment{} / echo.any_reply(number), { during = 0, clause = "RFC 8504 5.1 MUST NOT" })
			end
			send_atomic(1)

			-- It is processed in isolation from fragments of another packet with its identification.
			local pieces = reassembly.fragments_of(2, from, to, 0x1340)
			t.tn1:send(pieces[1])
			send_atomic(3)
			reassembly.send(t, t.tn1, { pieces[2], pieces[3] })
			reassembly.expect_reply(t, t.tn1, 2, from, to, "RFC 6946 4 MUST")
		end,
	}
end

atomic_test("v6LC.1.3.4.A", "Atomic Fragment - Part A: Link-Local", false)
atomic_test("v6LC.1.3.4.B", "Atomic Fragment - Part B: Global", true)
-- In the list of Phase-1 it has no parts, and its old name.
atomic_test("v6LC.1.3.4", "Stub Fragment Header", false)

-- 1.3.5: fragments of one packet that overlap. `pieces` chooses them out of the three fragments of
-- P and the last one that begins too early; `judge` says what must come of it.
local OVERLAPPING = { "RFC 5722 4 MUST", "RFC 8200 4.5 must", echo.REPLY, setup.ADDRESS }

local function overlap_tests(parts, name, choose, judge)
	for index, kind in ipairs{ "Link-Local", "Global" } do
		test {
			id = "v6LC.1.3.5." .. parts[index],
			title = string.format("Overlapping Fragments - Part %s: %s (%s)", parts[index], name, kind),
			role = "host",
			requires = OVERLAPPING,
			timeout = 180,
			run = function(t)
				local from, to = addresses(t, kind == "Global")
				echo.control(t, t.tn1, 1, from, to)
				local pieces = reassembly.fragments_of(2, from, to, 0x1350)
				pieces.early = reassembly.overlapping_last(2, from, to, 0x1350)
				local _, began = reassembly.send(t, t.tn1, choose(pieces))
				judge(t, from, to, began)
				echo.control(t, t.tn1, 3)
			end,
		}
	end
end

-- All of it must be discarded silently. A node that only drops the piece that overlaps betrays itself
-- by reporting the rest after 60 s.
local function expect_discarded(t, _, _, began)
	silence.expect(t, 2, "RFC 5722 4 MUST", "a packet with overlapping fragments must be discarded silently",
		reassembly.rest(t, began))
end

overlap_tests({ "A", "E" }, "Overlapping fragments", function(p)
	return { p[1], p[2], p.early }
end, expect_discarded)

-- Two only. After them the first fragment would begin a new packet in a node that keeps no memory of
-- the discarded one, as RFC 8200 ("that have been received") allows and RFC 5722 does not.
overlap_tests({ "B", "F" }, "Reverse Order Fragments", function(p)
	return { p.early, p[2] }
end, expect_discarded)

-- An exact duplicate may be dropped, or count as overlap. Neither is ever reported.
overlap_tests({ "C", "G" }, "Duplicate Fragments", function(p)
	return { p[1], p[1], p[2], p[3] }
end, function(t, from, to, began)
	local reply = t:expect(echo.reply(2, reassembly.SIZE, { src = to, dst = from }),
		{ to = t.tn1, within = echo.WINDOW, clause = "RFC 8200 4.5 must", level = "MAY" })
	t:note(reply and "exact duplicates are dropped" or "exact duplicates count as overlap")
	silence.expect(t, 2, "RFC 5722 4 MUST", "neither a wrong reply nor an error may come of duplicates",
		reassembly.rest(t, began))
end)

-- The good last fragment comes too late to help: the packet was discarded before it.
overlap_tests({ "D", "H" }, "Extra Fragments", function(p)
	return { p[1], p[2], p.early, p[3] }
end, expect_discarded)

-- 1.3.6: the first fragment ends before the upper-layer header. `header` is what it has.
local CHAIN = {
	"RFC 7112 5 SHOULD", "RFC 7112 5 MUST", "RFC 8200 4.5 should", errors.SOURCE, errors.QUOTE, echo.REPLY,
	setup.ADDRESS,
}

local function chain_tests(parts, name, next_header, header)
	for index, kind in ipairs{ "Link-Local", "Global" } do
		test {
			id = "v6LC.1.3.6." .. parts[index],
			title = string.format("First Fragment Doesn't Contain All Headers - Part %s: %s (%s)",
				parts[index], name, kind),
			role = "host",
			requires = CHAIN,
			timeout = 120,
			run = function(t)
				local from, to = addresses(t, kind == "Global")
				echo.control(t, t.tn1, 1, from, to)
				local ip = ip6{ src = from, dst = to, hop_limit = 255 }
				local upper = (ip / echo.request(2)):bytes():sub(41) -- the Echo Request without its IPv6 header
				local size = #(ip / header):bytes() - 40
				local first, began = reassembly.send(t, t.tn1, {
					ip / fragment{ next_header = next_header, more = 1, identification = 0x1360 } / header,
					ip / fragment{ next_header = next_header, offset = size // 8, identification = 0x1360 } / raw{ data = upper },
				})
				local problem = errors.expect_problem(t, first, { to = t.tn1, clause = "RFC 7112 5 SHOULD",
					why = "a first fragment without all headers should be reported" })
				if problem then
					t:check(problem.param_problem.code == 3 and problem.param_problem.pointer == 0,
						string.format("the error has code %d and pointer %d, it must have 3 and 0",
							problem.param_problem.code, problem.param_problem.pointer),
						{ clause = "RFC 7112 5 MUST" })
				end
				t:expect_none(echo.any_reply(2), { during = reassembly.rest(t, began), clause = "RFC 8200 4.5 should",
					why = "a first fragment without all headers should be discarded" })
				silence.no_error(t, 0, "RFC 8200 4.5 should", "what was discarded does not time out")
				echo.control(t, t.tn1, 3)
			end,
		}
	end
end

chain_tests({ "A", "C" }, "Destination Options", 60, dst_options{ next_header = 58, options.PADDING })
chain_tests({ "B", "D" }, "Routing Options", 43,
	routing{ next_header = 58, segments_left = 0, addresses = "2001:db8:0:c::1" })
