-- Redirects: RFC 4861 section 8. The destination is TN2, whose address is in no prefix of the NUT's link;
-- its Echo Requests come by TR1, the only default router. Where the NUT's replies go shows whether it
-- followed a Redirect: they are the only thing that it sends to TN2.
local echo = use "echo"
local setup = use "setup"
local silence = use "silence"

local redirects = {}

-- A host should follow a valid Redirect ...
redirects.FOLLOW = "RFC 4861 8.3 SHOULD"
redirects.SUPPORT = "RFC 8504 5.4 SHOULD"
-- ... must go on to send to other destinations by the router that it has chosen ...
redirects.OTHERS = "RFC 8504 5.4 MUST"
-- ... must take what it names for a neighbour or a router, and its link-layer address for unconfirmed ...
redirects.TARGET = "RFC 4861 8.3 MUST"
-- ... must discard an invalid one, and must not let what is no defect keep it from following.
redirects.VALID = "RFC 4861 8.1 MUST"
-- Nobody reports a Redirect, whatever is wrong with it.
redirects.NO_ERROR = "RFC 4443 2.4 MUST NOT"

-- An option type for experiments (RFC 4727), which nobody knows.
redirects.UNKNOWN = 253

-- The clauses of the steps below, and `more`.
function redirects.requires(more)
	local clauses = { redirects.FOLLOW, redirects.NO_ERROR, echo.REPLY, setup.ADDRESS }
	for _, clause in ipairs(more or {}) do
		table.insert(clauses, clause)
	end
	return clauses
end

-- First hops for TN2, as a Redirect names them: the target and its link-layer address. A router ...
function redirects.by(router, mac)
	return { name = router.name:upper(), target = router.link_local, mac = mac or router.mac }
end

-- ... or TN2 itself, as if it were on the NUT's link. Its link-layer address there is TN1's.
function redirects.on_link(t)
	return { name = "TN2 on link", target = t.tn2.global, mac = t.tn1.mac }
end

-- The way of the NUT's replies to TN2, when TR1 has advertised itself and prefix X.
function redirects.set_up(t)
	return { nut = setup.one_router(t), peer = t.tn2.global, number = 0 }
end

-- `router` becomes a reachable neighbour of the NUT. It advertises nothing: TR1 stays the only default router.
function redirects.meet(t, router)
	echo.control(t, router, 0x2300)
end

-- An Echo Request of TN2 by TR1, with `size` octets of data. One reply must come, wherever it goes; it becomes
-- way.reply. Returns it. If the NUT has to solicit TN2 first, TN1 answers for it, and that solicitation is the
-- second result.
local function ask(t, way, size)
	way.number = way.number + 1
	local pattern = echo.reply(way.number, size, { src = way.nut, dst = way.peer })
	t.tn2:send(ip6{ src = way.peer, dst = way.nut } / echo.request(way.number, size))
	local reply = t:expect(pattern, { within = 1, clause = echo.REPLY, level = "MAY",
		why = "the reply comes at once if the NUT knows the link-layer address of its first hop" })
	local solicitation = not reply and t:expect(ns{ target = way.peer }, { within = 0, clause = echo.REPLY,
		level = "MAY", why = "the NUT may have to solicit TN2" })
	if solicitation then
		t.tn1:send(ip6{ src = way.peer, dst = solicitation.ip6.src, hop_limit = 255 }
			/ na{ solicited = 1, override = 1, target = way.peer, nd_tlla{ mac = t.tn1.mac } })
	end
	way.reply = reply or t:expect(pattern, { within = echo.WINDOW, clause = echo.REPLY,
		why = "TN2 must get a reply, whatever the first hop is" })
	t:expect_none(echo.any_reply(way.number), { during = 1, clause = echo.REPLY,
		why = "one reply, and by one first hop" })
	return way.reply, solicitation
end

-- What a check has to say of the reply that should have gone to `hop`.
local function describe(t, way, hop, why)
	local seen = way.reply.ether.dst
	for _, node in ipairs{ t.tr1, t.tr2, t.tr3, t.tn1 } do
		if node.mac == seen then
			seen = string.format("%s (%s)", node.name:upper(), node.mac)
		end
	end
	return string.format("%s: the reply to %s goes to %s, its first hop is %s (%s)", why, way.peer, seen, hop.name,
		hop.mac)
end

-- The next reply must go to `hop`, or that breaks `clause`. Returns whether it does.
function redirects.expect_by(t, way, hop, clause, why, size)
	local reply = ask(t, way, size)
	return t:check(reply.ether.dst == hop.mac, describe(t, way, hop, why), { clause = clause })
end

-- A Redirect is about one destination. What goes to TN3, which is in TN2's prefix, goes by TR1 as before.
function redirects.expect_tn3_by_tr1(t, way)
	local other = { nut = way.nut, peer = t.tn3.global, number = way.number + 0x100 }
	redirects.expect_by(t, other, redirects.by(t.tr1), redirects.OTHERS,
		"the Redirect was about TN2, and TN3 is another destination")
end

-- What every test begins with.
function redirects.expect_by_tr1(t, way, size)
	redirects.expect_by(t, way, redirects.by(t.tr1), echo.REPLY, "TR1 is the only default router", size)
end

-- A Redirect was followed: the next reply goes to `hop`. If it does not because something is odd with the
-- Redirect that is no reason to refuse it, then the plain Redirect `oddity.plain` (to `oddity.hop`, if that is
-- another one) is followed, and oddity.clause is broken. A NUT that does not follow that one either
-- follows none, and should. Returns whether it was followed, and the solicitation for TN2 that came before.
function redirects.expect_followed(t, way, hop, oddity)
	local reply, solicitation = ask(t, way)
	local is_followed = reply.ether.dst == hop.mac
	local text = describe(t, way, hop, "a valid Redirect should be followed")
	if oddity and not is_followed then
		redirects.send(t, oddity.plain)
		if ask(t, way).ether.dst == (oddity.hop or hop).mac then
			t:check(false, oddity.why, { clause = oddity.clause })
		end
	end
	t:check(is_followed, text, { clause = redirects.FOLLOW })
	return is_followed, solicitation
end

-- Where the next reply goes, for what is noted and not judged.
function redirects.is_by(t, way, hop)
	return ask(t, way).ether.dst == hop.mac
end

-- The Redirect with which TR1 sends the NUT's packets for TN2 to `hop`. In `with`: `tlla` for a Target
-- Link-Layer Address option, `header` for a Redirected Header option with the last reply; `first` and
-- `last`, other options in front of those and behind them; `reserved`, if not zero; `from`, another router.
function redirects.message(t, way, hop, with)
	local options = { table.unpack(with.first or {}) }
	if with.tlla then
		table.insert(options, nd_tlla{ mac = hop.mac })
	end
	if with.header then
		table.insert(options, nd_redirected{ invoking = way.reply:bytes() })
	end
	for _, option in ipairs(with.last or {}) do
		table.insert(options, option)
	end
	return ip6{ src = (with.from or t.tr1).link_local, dst = way.nut, hop_limit = 255 }
		/ redirect{ reserved = with.reserved or 0, target = hop.target, destination = way.peer, options = options }
end

-- No error may answer what was sent.
function redirects.expect_no_error(t)
	silence.no_error(t, echo.SILENCE, redirects.NO_ERROR, "a Redirect must not be answered with an error")
end

-- `sender` (TR1) sends the Redirect.
function redirects.send(t, message, sender)
	local node = sender or t.tr1
	node:send(message)
	redirects.expect_no_error(t)
end

-- A good Redirect is followed. After one that was ignored this shows that it was for its defect.
function redirects.expect_control(t, way, hop)
	redirects.send(t, redirects.message(t, way, hop, { tlla = true, header = true }))
	redirects.expect_followed(t, way, hop)
end

-- The ICMPv6 message cut to 39 octets: the last one of the destination and the options are missing. They are
-- behind the packet in the frame, for a host that does not go by the length in the IPv6 header.
local SHORT = 39

local function cut(good)
	local octets = good:bytes():sub(41)
	return ip6{ src = good.ip6.src, dst = good.ip6.dst, hop_limit = 255 }
		/ icmp6{ type = 137, data = octets:sub(5, SHORT) } / trailer{ data = octets:sub(SHORT + 1) }
end

-- What makes a Redirect invalid, RFC 4861 8.1: each of these takes a good one, with both options, and returns what
-- redirects.send() takes, one that has a single defect, and who sends it if that is not TR1.
redirects.INVALID = {
	-- TR1's own address, but not the one by which hosts know routers.
	{ "A", "Redirect Source Address is Global", function(t, good)
		return good:with("ip6", { src = t.tr1.global })
	end },
	{ "B", "Redirect Source Address is not the current first-hop router", function(t, good)
		return good:with("ip6", { src = t.tr2.link_local }), t.tr2
	end },
	{ "C", "Hop Limit is not 255", function(_, good)
		return good:with("ip6", { hop_limit = 254 })
	end },
	{ "D", "ICMPv6 Code is not 0", function(_, good)
		return good:with("redirect", { code = 1 })
	end },
	{ "E", "ICMPv6 Checksum is invalid", function(_, good)
		return good:with("redirect", { checksum = parse(good:bytes()).redirect.checksum ~ 1 })
	end },
	-- A target that is the destination remains that: it would be another defect if it were not.
	{ "F", "ICMPv6 Destination Address is Multicast", function(_, good)
		local is_on_link = good.redirect.target == good.redirect.destination
		return good:with("redirect", { destination = "ff02::1", target = is_on_link and "ff02::1" or nil })
	end },
	{ "G", "Target Address is Multicast", function(_, good)
		return good:with("redirect", { target = "ff02::1" })
	end },
	{ "H", "ICMPv6 length is less than 40 Octets", function(_, good)
		return cut(good)
	end },
	{ "I", "Option has Length Zero", function(_, good)
		local options = { table.unpack(good.redirect.options) }
		table.insert(options, nd_unknown{ type = redirects.UNKNOWN, length = 0 })
		return ip6{ src = good.ip6.src, dst = good.ip6.dst, hop_limit = 255 }
			/ redirect{ target = good.redirect.target, destination = good.redirect.destination, options = options }
	end },
}

return redirects
