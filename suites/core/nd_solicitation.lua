-- Sections 2.1.7 to 2.1.13 of the Core Protocols list: Neighbor Solicitations that the NUT receives, RFC 4861
-- sections 7.1.1, 7.2.3 and 7.2.4.
local cache = use "neighbor_cache"
local echo = use "echo"
local setup = use "setup"
local silence = use "silence"
local timing = use "timing"

-- A solicitation that fails a check is silently discarded.
local VALIDATION = "RFC 4861 7.1.1 MUST"

-- --- 2.1.7: what must be discarded

-- How long a NUT that has to resolve TN1 first would take to answer.
local RESOLUTION = timing.SOLICITATIONS * timing.latest(timing.RETRANS)

-- Octets of an IPv6 header.
local IP6_HEADER = 40

-- TN1 solicits the NUT, and everything is right. What a row of INVALID names is in the place of that.
local function solicitation(t, wrong)
	return ip6{ src = wrong.src or t.tn1.link_local, dst = wrong.dst or t.nut.link_local,
			hop_limit = wrong.hop_limit }
		/ (wrong.message or ns{ code = wrong.code, checksum = wrong.checksum, target = wrong.target or t.nut.link_local,
			options = wrong.options or { nd_slla{ mac = t.tn1.mac } } })
end

-- Somebody tries the NUT's address by duplicate address detection; the answer goes to all nodes.
local function expect_defence(t)
	t.tn1:send(solicitation(t, { src = "::", dst = solicited_node(t.nut.link_local), options = {} }))
	t:expect(ip6{ dst = "ff02::1", hop_limit = 255 }
		/ na{ code = 0, reserved = 0, solicited = 0, router = 0, target = t.nut.link_local, nd_tlla{ mac = t.nut.mac } },
		{ within = echo.WINDOW, clause = cache.ANSWER, why = "the same without the error must be answered to all nodes" })
end

local function expect_answer(t)
	t.tn1:send(solicitation(t, {}))
	t:expect(ip6{ dst = t.tn1.link_local, hop_limit = 255 }
		/ na{ code = 0, reserved = 0, solicited = 1, router = 0, target = t.nut.link_local },
		{ to = t.tn1, within = echo.WINDOW, clause = cache.ANSWER, why = "the same without the error must be answered" })
end

-- One error in each. `control` is the same without it, which is answered: by that the error is the reason.
local INVALID = {
	{
		part = "A", title = "Invalid Target Address", about = "whose target is a multicast address",
		wrong = function() return { target = "ff02::1" } end,
	},
	{
		part = "B", title = "Invalid Destination Address", about = "from :: to a unicast address",
		wrong = function() return { src = "::", options = {} } end,
		control = expect_defence,
	},
	{
		part = "C", title = "Invalid Source Link-layer Address Option", about = "from :: with a link-layer address",
		wrong = function(t) return { src = "::", dst = solicited_node(t.nut.link_local) } end,
		control = expect_defence,
	},
	{
		part = "D", title = "Invalid Hop Limit", about = "that a router has forwarded (Hop Limit 254)",
		wrong = function() return { hop_limit = 254 } end,
	},
	{
		part = "E", title = "Invalid Checksum", about = "with a wrong checksum",
		wrong = function() return { checksum = 0 } end,
	},
	{
		part = "F", title = "Invalid ICMP code", about = "with code 1",
		wrong = function() return { code = 1 } end,
	},
	{
		-- The Payload Length ends within the target. Its rest and an option lie behind the packet, where they
		-- must not be looked for: the length is that of IP, not of the frame.
		part = "G", title = "Invalid ICMP Length", about = "of 16 octets",
		wrong = function(t)
			local octets = solicitation(t, {}):bytes():sub(IP6_HEADER + 1)
			return { message = icmp6{ type = 135, data = octets:sub(5, 16) } / trailer{ data = octets:sub(17) } }
		end,
	},
	{
		part = "H", title = "Option of Length 0", about = "with an option of length 0",
		wrong = function(t) return { options = { nd_slla{ length = 0, mac = t.tn1.mac } } } end,
	},
}

for _, row in ipairs(INVALID) do
	test {
		id = "v6LC.2.1.7." .. row.part,
		title = string.format("Invalid Neighbor Solicitation Handling - Part %s: %s", row.part, row.title),
		role = "host",
		requires = { VALIDATION, cache.ANSWER, echo.REPLY },
		run = function(t)
			local why = string.format("a solicitation %s must be discarded", row.about)

			-- The NUT lives; TN1 is still unknown to it.
			echo.control(t, t.tr1, 1)
			t.tn1:send(solicitation(t, row.wrong(t)))
			t:expect_none(na{}, { during = RESOLUTION, clause = VALIDATION, why = why .. ", not answered" })
			t:expect_none(ns{ target = t.tn1.link_local },
				{ during = 0, clause = VALIDATION, why = why .. ", not be a reason to look for TN1" })
			silence.no_error(t, 0, VALIDATION, why .. " without an error message")

			-- No entry was made of it: TN1 has to be solicited before it can get its reply.
			t.tn1:send(ip6{ src = t.tn1.link_local, dst = t.nut.link_local } / echo.request(2))
			t:expect(ip6{ dst = solicited_node(t.tn1.link_local) } / ns{ target = t.tn1.link_local },
				{ within = 1, clause = VALIDATION, why = why .. ", TN1's link-layer address not be taken from it" })
			t:expect(echo.reply(2), { to = t.tn1, within = echo.WINDOW, clause = echo.REPLY })
			local control = row.control or expect_answer
			control(t)
		end,
	}
end

-- --- 2.1.8 to 2.1.12: what a solicitation does to the entry of its sender

local PROCESSING = cache.requires{
	cache.MESSAGES.solicitation.record, cache.MESSAGES.solicitation.change, cache.NO_ADDRESS, cache.UNCONFIRMED,
	cache.ANSWER, cache.OVERRIDE,
}

-- How the solicitation is sent, and its Source Link-Layer Address: TN1's own, or another one, or none.
local UNKNOWN = {
	{ part = "A", title = "Unicast Neighbor Solicitation" },
	{ part = "B", title = "Multicast Neighbor Solicitation", is_multicast = true },
	{ part = "C", title = "Unicast Neighbor Solicitation without SLL", has_no_address = true },
}
local KNOWN = {
	{ part = "A", title = "Unicast Neighbor Solicitation with the same SLLA" },
	{ part = "B", title = "Unicast Neighbor Solicitation with a different SLLA", has_moved = true },
	{ part = "C", title = "Multicast Neighbor Solicitation with the same SLLA", is_multicast = true },
	{ part = "D", title = "Multicast Neighbor Solicitation with a different SLLA", is_multicast = true, has_moved = true },
}

-- In which state of the entry it comes.
local STATES = {
	{ number = 8, title = "No NCE", state = "NONE", parts = UNKNOWN },
	{ number = 9, title = "NCE State INCOMPLETE", state = "INCOMPLETE", parts = UNKNOWN },
	{ number = 10, title = "NCE State REACHABLE", state = "REACHABLE", parts = KNOWN },
	{ number = 11, title = "NCE State STALE", state = "STALE", parts = KNOWN },
	{ number = 12, title = "NCE State PROBE", state = "PROBE", parts = KNOWN },
}

-- What entry:solicit() takes, for a part.
local function solicitation_of(t, node, part)
	local mac
	if part.has_no_address then
		mac = false
	elseif part.has_moved then
		mac = cache.other_mac(node)
	end
	return { mac = mac, to = part.is_multicast and solicited_node(t.nut.link_local) or nil }
end

-- `node` is unknown to the NUT and solicits it without a link-layer address. The NUT has to find out where it is
-- before it can answer, and then it must.
local function expect_late_answer(t, node)
	local entry = cache.entry(t, node)
	if not entry:solicit{ mac = false } then
		return
	end
	entry:advertise{ solicited = true, override = true }
	t:expect(ip6{ dst = node.link_local, hop_limit = 255 }
		/ na{ code = 0, reserved = 0, router = 0, solicited = 1, target = t.nut.link_local },
		{ to = node, within = 1, clause = cache.ANSWER,
			why = "a solicitation without a link-layer address must be answered when the sender is resolved" })
end

for _, row in ipairs(STATES) do
	for _, part in ipairs(row.parts) do
		test {
			id = string.format("v6LC.2.1.%d.%s", row.number, part.part),
			title = string.format("Neighbor Solicitation Processing, %s - Part %s: %s", row.title, part.part, part.title),
			role = "host",
			requires = PROCESSING,
			timeout = 120,
			run = function(t)
				local entry = cache.entry(t, t.tn1)
				entry:reach(row.state)
				if row.state == "REACHABLE" then
					entry:verify()
				end
				entry:solicit(solicitation_of(t, t.tn1, part))
				entry:verify()
				if row.state == "NONE" and part.has_no_address then
					expect_late_answer(t, t.tr2)
				end
			end,
		}
	end
end

-- --- 2.1.13: a router stays one

local IS_ROUTER = "RFC 4861 7.2.3 MUST NOT"

local SOLICITED_BY_ROUTER = {
	{ part = "A", title = "Unicast Neighbor Solicitation without SLLA", has_no_address = true },
	{ part = "B", title = "Unicast Neighbor Solicitation with a SLLA" },
	{ part = "C", title = "Multicast Neighbor Solicitation with a different SLLA", is_multicast = true, has_moved = true },
}

for _, part in ipairs(SOLICITED_BY_ROUTER) do
	test {
		id = "v6LC.2.1.13." .. part.part,
		title = string.format("Neighbor Solicitation Processing, IsRouterFlag (Host Only) - Part %s: %s", part.part,
			part.title),
		role = "host",
		requires = { IS_ROUTER, setup.ADDRESS, table.unpack(PROCESSING) },
		timeout = 60,
		run = function(t)
			local address = setup.one_router(t)
			local entry = cache.entry(t, t.tr1, { nut = address, through = t.tn2 })
			entry:assume("REACHABLE")
			-- Solicitations do not tell whether their sender is a router, so TR1 stays what it was: the first hop to
			-- TN2, at the link-layer address that it has now (which entry:verify() judges).
			entry:solicit(solicitation_of(t, t.tr1, part))
			t.tn2:send(ip6{ dst = address } / echo.request(1))
			t:expect(ether{ dst = one_of{ t.tr1.mac, entry.mac } }
				/ echo.reply(1, 8, { src = address, dst = t.tn2.global }),
				{ from = t.nut, within = 1, clause = IS_ROUTER,
					why = "a solicitation must not make a host of a router: the reply must go through TR1" })
			entry:verify()
		end,
	}
end
