-- Section 1.2 of the Core Protocols list: extension headers and options, RFC 8200 section 4.
local echo = use "echo"
local errors = use "errors"
local options = use "options"
local setup = use "setup"
local silence = use "silence"

local PADDING, ACTION = options.PADDING, options.ACTION
local SKIP, DISCARD = options.SKIP, options.DISCARD
local REPORT, REPORT_UNICAST = options.REPORT, options.REPORT_UNICAST

test {
	id = "v6LC.1.2.1",
	title = "Next Header Zero",
	role = "host",
	requires = {
		"RFC 8200 4 should", "RFC 4443 3.4 MUST", "RFC 4443 2.2 MUST", "RFC 4443 2.4 MUST", "RFC 4443 4.2 MUST",
	},
	run = function(t)
		echo.control(t, t.tn1, 3)
		-- The first Hop-by-Hop Options header announces a second one: only right behind the
		-- IPv6 header may there be one. The pointer is to the Next Header field of the first.
		local sent = t.tn1:send(ip6{ src = t.tn1.link_local, dst = t.nut.link_local }
			/ hop_by_hop{ PADDING } / hop_by_hop{ PADDING } / echo.request(1))
		errors.expect_problem(t, sent, { to = t.tn1, code = 1, pointer = 0x28, clause = "RFC 8200 4 should" })
		silence.no_reply(t, 1, "RFC 4443 3.4 MUST")
		echo.control(t, t.tn1, 2)
	end,
}

test {
	id = "v6LC.1.2.2.A",
	title = "No Next Header after Extension Header - Part A: End Node",
	role = "host",
	requires = { "RFC 8200 4.7 must", "RFC 4443 4.2 MUST" },
	run = function(t)
		echo.control(t, t.tn1, 1)
		t.tn1:send(ip6{ dst = t.nut.link_local } / dst_options{ PADDING, next_header = 59 } / echo.request(2))
		silence.expect(t, 2, "RFC 8200 4.7 must", "octets behind No Next Header must be ignored")
		echo.control(t, t.tn1, 3)
	end,
}

test {
	id = "v6LC.1.2.3.A",
	title = "Unrecognized Next Header in Extension Header - End Node - Part A: "
		.. "Unrecognized Next Header in Extension Header (Multiple Values)",
	role = "host",
	requires = {
		"RFC 8200 4 should", "RFC 4443 3.4 MUST", "RFC 4443 2.2 MUST", "RFC 4443 2.4 MUST", "RFC 4443 4.2 MUST",
	},
	timeout = 600,
	run = function(t)
		errors.each_unassigned_header(t, function(value, number)
			-- The pointer is to the Next Header field of the Destination Options.
			local sent = t.tn1:send(ip6{ src = t.tn1.link_local, dst = t.nut.link_local }
				/ dst_options{ PADDING, next_header = value } / echo.request(number))
			errors.expect_problem(t, sent, { to = t.tn1, code = 1, pointer = 0x28, clause = "RFC 8200 4 should",
				why = string.format("Next Header %d should be reported", value) })
			t:expect_none(echo.any_reply(number), { during = 0, clause = "RFC 4443 3.4 MUST" })
		end)
	end,
}

-- A packet of which the NUT must report something and must process nothing; one error is enough.
-- `headers` is what lies between the IPv6 header and the Echo Request with `size` octets of data.
-- `discard` is the clause that forbids the reply, where it is not the one of the report.
local function expect_report(t, headers, size, problem)
	echo.control(t, t.tn1, 3)
	local sent = t.tn1:send(ip6{ src = t.tn1.link_local, dst = t.nut.link_local } / headers / echo.request(1, size))
	problem.to = t.tn1
	errors.expect_problem(t, sent, problem)
	silence.no_reply(t, 1, problem.discard or problem.clause)
	silence.no_error(t, 0, problem.discard or problem.clause, "a packet that was discarded is reported once")
	echo.control(t, t.tn1, 2)
end

local REPORTED = { ACTION, errors.SOURCE, errors.QUOTE, echo.REPLY }

test {
	id = "v6LC.1.2.3.B",
	title = "Unrecognized Next Header in Extension Header - End Node - Part B: "
		.. "Unexpected Next Header in Extension Header",
	role = "host",
	requires = REPORTED,
	run = function(t)
		-- Where the first Destination Options header promises another there is a Fragment header. Read
		-- as options, its offset and flags are 87 04: an option of type 0x87 with 4 octets, at 0x32.
		expect_report(t, dst_options{ PADDING, next_header = 60 }
			/ fragment{ offset = 0x10e0, reserved2 = 2, more = 0, identification = 0x1230 }, 8,
			{ code = 2, pointer = 0x32, clause = ACTION })
	end,
}

-- Headers are processed strictly in the order in which they are in the packet (RFC 8200 4).
local ORDER = "Extension Header Processing Order - Part "
local FRAGMENT_LENGTH = {
	"RFC 8200 4.5 should", "RFC 8200 4.5 must", errors.SOURCE, errors.QUOTE, echo.REPLY,
}

test {
	id = "v6LC.1.2.4.A",
	title = ORDER .. "A: Destination Options Header precedes Fragment Header, "
		.. "Error from Destination Options Header",
	role = "host",
	requires = REPORTED,
	run = function(t)
		-- Both headers are wrong: the option is first, so it is what is reported. The fragment, 13
		-- octets long with more to follow, is not looked at any more.
		expect_report(t, hop_by_hop{ PADDING } / dst_options{ options.unknown(REPORT, 4) }
			/ fragment{ more = 1, identification = 0x1240 }, 5,
			{ code = 2, pointer = 0x32, clause = ACTION })
	end,
}

test {
	id = "v6LC.1.2.4.B",
	title = ORDER .. "B: Destination Options Header precedes Fragment Header, Error from Fragment Header",
	role = "host",
	requires = FRAGMENT_LENGTH,
	run = function(t)
		-- The option is skipped; the fragment of 13 octets must be discarded. The pointer is to the
		-- Payload Length field.
		expect_report(t, hop_by_hop{ PADDING } / dst_options{ options.unknown(SKIP, 4) }
			/ fragment{ more = 1, identification = 0x1241 }, 5,
			{ code = 0, pointer = 4, clause = "RFC 8200 4.5 should", discard = "RFC 8200 4.5 must" })
	end,
}

test {
	id = "v6LC.1.2.4.C",
	title = ORDER .. "C: Fragment Header precedes Destination Options Header, Error from Fragment Header",
	role = "host",
	requires = FRAGMENT_LENGTH,
	run = function(t)
		-- The fragment has 21 octets and is discarded before anybody reads the options in it.
		expect_report(t, hop_by_hop{ PADDING } / fragment{ more = 1, identification = 0x1242 }
			/ dst_options{ options.unknown(REPORT, 4) }, 5,
			{ code = 0, pointer = 4, clause = "RFC 8200 4.5 should", discard = "RFC 8200 4.5 must" })
	end,
}

test {
	id = "v6LC.1.2.4.D",
	title = ORDER .. "D: Fragment Header precedes Destination Options Header, "
		.. "Error from Destination Options Header",
	role = "host",
	requires = { ACTION, errors.SOURCE, errors.QUOTE, echo.REPLY },
	run = function(t)
		echo.control(t, t.tn1, 3)
		-- A fragment that is the whole packet. What is quoted may be the packet as it came, with the
		-- option at 0x3a, or as it was put together, without the Fragment header and with the option
		-- at 0x32 (RFC 4443 3.4: the pointer is into what is quoted).
		local header = ip6{ src = t.tn1.link_local, dst = t.nut.link_local, hop_limit = 255 }
		local rest = dst_options{ options.unknown(REPORT, 4) } / echo.request(1, 5)
		local sent = t.tn1:send(header / hop_by_hop{ PADDING } / fragment{ identification = 0x1243 } / rest)
		local problem = { to = t.tn1, code = 2, pointer = 0x3a, clause = ACTION, level = "MAY" }
		if not errors.expect_problem(t, sent, problem) then
			problem.pointer, problem.level, problem.within = 0x32, "MUST", 0
			problem.quote = (header / hop_by_hop{ PADDING } / rest):quote()
			errors.expect_problem(t, sent, problem)
			t:note("the error quotes the packet as it was put together")
		end
		silence.no_reply(t, 1, ACTION)
		silence.no_error(t, 0, ACTION, "a packet that was discarded is reported once")
		echo.control(t, t.tn1, 2)
	end,
}

-- Options are processed strictly in their order (RFC 8200 4.2): the first, at 0x2a, is skipped, the
-- second, at 0x30, ends it, and those behind it are not looked at.
local OPTION_ORDER = "Option Processing Order - Part %s: First Option has Most Significant Bits 00b, "
	.. "Next has Most Significant Bits %s"

local function in_order(second, third, fourth)
	return dst_options{ options.unknown(SKIP, 4), options.unknown(second, 6), options.unknown(third, 6),
		options.unknown(fourth, 6) }
end

test {
	id = "v6LC.1.2.5.A",
	title = string.format(OPTION_ORDER, "A", "01b"),
	role = "host",
	requires = { ACTION, echo.REPLY },
	run = function(t)
		echo.control(t, t.tn1, 1)
		t.tn1:send(ip6{ dst = t.nut.link_local } / in_order(DISCARD, REPORT, REPORT_UNICAST) / echo.request(2))
		silence.expect(t, 2, ACTION, "the second option means: discard silently")
		echo.control(t, t.tn1, 3)
	end,
}

test {
	id = "v6LC.1.2.5.B",
	title = string.format(OPTION_ORDER, "B", "10b"),
	role = "host",
	requires = REPORTED,
	run = function(t)
		expect_report(t, in_order(REPORT, REPORT_UNICAST, DISCARD), 8, { code = 2, pointer = 0x30, clause = ACTION })
	end,
}

test {
	id = "v6LC.1.2.5.C",
	title = string.format(OPTION_ORDER, "C", "11b"),
	role = "host",
	requires = REPORTED,
	run = function(t)
		expect_report(t, in_order(REPORT_UNICAST, DISCARD, REPORT), 8, { code = 2, pointer = 0x30, clause = ACTION })
	end,
}

-- 1.2.6 and 1.2.8 are one table of options in two headers. The first (or only) option is at 0x2a.
local SKIPPED, SILENT, REPORTED_ALWAYS = "skipped", "discarded silently", "discarded and reported"
local PARTS = {
	{ "A", "Pad1 Option", SKIPPED, { pad1{}, pad1{}, pad1{}, pad1{}, pad1{}, pad1{} } },
	{ "B", "PadN Option", SKIPPED, { PADDING } },
	{ "C", "Most Significant Bits 00b", SKIPPED, { options.unknown(SKIP, 4) } },
	{ "D", "Most Significant Bits 01b", SILENT, { options.unknown(DISCARD, 4) } },
	{ "E", "Most Significant Bits 10b, unicast destination", REPORTED_ALWAYS, { options.unknown(REPORT, 4) } },
	{ "F", "Most Significant Bits 11b, unicast destination", REPORTED_ALWAYS, { options.unknown(REPORT_UNICAST, 4) } },
	{ "G", "Most Significant Bits 10b, multicast destination", REPORTED_ALWAYS, { options.unknown(REPORT, 4) },
		to_group = true },
	{ "H", "Most Significant Bits 11b, multicast destination", SILENT, { options.unknown(REPORT_UNICAST, 4) },
		to_group = true },
}

-- Whether a Hop-by-Hop Options header was not processed at all: the Echo Request behind it is
-- answered, which RFC 9673 5.1 lets a (constrained) host do, and nothing is reported.
local function is_unprocessed(t, number)
	if not t:expect(echo.reply(number), { within = 0, clause = "RFC 9673 5.1 MUST", level = "MAY" }) then
		return false
	end
	t:note("the NUT does not process Hop-by-Hop Options")
	silence.no_error(t, 0, "RFC 9673 5.1 MUST", "what was processed is not reported")
	return true
end

-- What must become of Echo Request 2, which was sent as `sent` with the options of `part`.
local function expect_outcome(t, part, sent, by_hop)
	local outcome = part[3]
	if outcome == SKIPPED then
		t:expect(echo.reply(2, 8, { src = t.nut.link_local, dst = t.tn1.link_local }),
			{ to = t.tn1, within = echo.WINDOW, clause = ACTION, why = "the option must be skipped" })
		silence.no_error(t, 0, ACTION, "an option that is skipped is not reported")
	elseif outcome == SILENT then
		t:wait(echo.SILENCE)
		if not (by_hop and is_unprocessed(t, 2)) then
			local clause = part.to_group and "RFC 4443 2.4 MUST NOT" or ACTION
			t:expect_none(echo.any_reply(2), { during = 0, clause = ACTION, why = "the option means: discard" })
			silence.no_error(t, 0, clause, "nobody may report this option")
		end
	else
		-- RFC 8200 says must, and RFC 9673 5.2 makes it a MAY for options of Hop-by-Hop Options.
		local report = errors.expect_problem(t, sent, { to = t.tn1, code = 2, pointer = 0x2a, clause = ACTION,
			level = by_hop and "MAY" or "MUST" })
		if report or not is_unprocessed(t, 2) then
			t:note(report and "discarded and reported" or "discarded and not reported (RFC 9673 5.2)")
			silence.no_reply(t, 2, ACTION)
			silence.no_error(t, 0, ACTION, "one right report is all that may come")
		end
	end
end

local function options_test(group, name, header, by_hop, part)
	local requires = { ACTION, echo.REPLY, errors.SOURCE, errors.QUOTE }
	if by_hop then
		table.insert(requires, "RFC 9673 5.1 MUST")
	end
	if part.to_group then
		table.insert(requires, "RFC 4443 2.4 MUST NOT")
	end
	test {
		id = group .. "." .. part[1],
		title = string.format("%s - Part %s: %s", name, part[1], part[2]),
		role = "host",
		requires = requires,
		run = function(t)
			echo.control(t, t.tn1, 1)
			local sent = t.tn1:send(ip6{ src = t.tn1.link_local, dst = part.to_group and "ff02::1" or t.nut.link_local }
				/ header{ options = part[4] } / echo.request(2))
			expect_outcome(t, part, sent, by_hop)
			echo.control(t, t.tn1, 3)
		end,
	}
end

for _, part in ipairs(PARTS) do
	options_test("v6LC.1.2.6", "Options Processing, Hop-by-Hop Options Header - End Node", hop_by_hop, true, part)
	options_test("v6LC.1.2.8", "Option Processing, Destination Options Header", dst_options, false, part)
end

-- 1.2.9 and 1.2.10: a Routing header of a type that is not known; type 0 must be treated as one
-- (RFC 5095 3). The packet's destination is the NUT. In it: two addresses that belong to nobody, and
-- TR1's; the checksum of the Echo Request is right for the NUT.
local ADDRESSES = zeros(4) .. hex("20010db8 0000000c 00000000 00000001") .. hex("20010db8 0000000c 00000000 00000002")
	.. hex("20010db8 0000000b 00000000 000000a1")
local ROUTING = { "RFC 8200 4.4 must", "RFC 5095 3 MUST", echo.REPLY, setup.ADDRESS }

local function send_routed(t, kind, segments_left)
	local address = setup.one_router(t)
	return t.tn2:send(ip6{ src = t.tn2.global, dst = address }
		/ routing_unknown{ routing_type = kind, segments_left = segments_left, data = ADDRESSES } / echo.request(1))
end

local function routing_tests(part, kind, clause)
	test {
		id = "v6LC.1.2.9." .. part,
		title = string.format("Unrecognized Routing Type - End Node - Part %s: Unrecognized Routing Type %d", part, kind),
		role = "host",
		requires = ROUTING,
		timeout = 60,
		run = function(t)
			-- No segments left: the header must be ignored. The way back to TN2 is by TR1.
			local sent = send_routed(t, kind, 0)
			t:expect(echo.reply(1, 8, { src = sent.ip6.dst, dst = t.tn2.global }),
				{ to = t.tr1, within = echo.WINDOW, clause = clause, why = "the Routing header must be ignored" })
			silence.no_error(t, 0, clause, "the Routing header must be ignored")
		end,
	}
	test {
		id = "v6LC.1.2.10." .. part,
		title = string.format("Unrecognized Routing Type - Intermediate Node - Part %s: Unrecognized Routing Type %d",
			part, kind),
		role = "host",
		requires = { ROUTING[1], ROUTING[2], ROUTING[3], ROUTING[4], errors.SOURCE, errors.QUOTE },
		timeout = 60,
		run = function(t)
			-- One segment left: the NUT would have to send it on. It must discard and report it, with
			-- the pointer to the Routing Type.
			local sent = send_routed(t, kind, 1)
			errors.expect_problem(t, sent, { to = t.tr1, code = 0, pointer = 0x2a, clause = clause })
			silence.no_reply(t, 1, clause)
			t:expect_none(echo_request{ identifier = 1 },
				{ during = 0, clause = clause, why = "the packet must not be sent on" })
			echo.control(t, t.tn1, 2)
		end,
	}
end

routing_tests("A", 33, "RFC 8200 4.4 must")
routing_tests("B", 0, "RFC 5095 3 MUST")
