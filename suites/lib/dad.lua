-- Duplicate address detection: RFC 4862 section 5.4. A test learns from the NUT's own solicitation which address
-- it tries, does something to that address while it is tentative, and then looks whether the NUT has it.
local setup = use "setup"
local timing = use "timing"

local dad = {}

-- Every unicast address is tried before it is assigned.
dad.TRIED = "RFC 4862 5.4 MUST"
-- Each by itself: that its identifier was tried in another address is not enough.
dad.EACH = "RFC 4862 5.4 MUST NOT"
-- Before that the node joins its solicited-node group, to hear of another node that tries it.
dad.JOINED = "RFC 4862 5.4.2 MUST"
-- One that has turned out to be a duplicate is never assigned.
dad.DUPLICATE = "RFC 4862 5.4.5 MUST NOT"
-- The identifier came from the hardware address, so another node has the same: IP is off altogether.
dad.DISABLED = "RFC 4862 5.4.5 SHOULD"
-- Nobody is answered who asks for a tentative address.
dad.NO_ANSWER = "RFC 4862 5.4.3 MUST NOT"
-- An assigned address is advertised to whoever asks for it.
dad.ANSWER = "RFC 4861 7.2.4 MUST"

dad.LINK_LOCAL = prefix("fe80::/64")

-- How long the first solicitation may take after the interface came up, and after an advertisement. It is
-- delayed by a second at most (MAX_RTR_SOLICITATION_DELAY, RFC 4862 5.4.2), which is a SHOULD; the rest is for
-- an interface to come up, and for a host that is slower than it should be.
dad.START = 10
dad.FORM = 5

-- How long nothing must come in answer, and how long an answer may take.
local SILENCE, ANSWER = 3, 2

-- An address is tried for RetransTimer (1 s) after its one solicitation (DupAddrDetectTransmits is 1).
local PERIOD = timing.RETRANS

-- What the NUT sends to try `target`: RFC 4862 5.4.2. A nonce in it is fine (RFC 7527).
function dad.solicitation(target)
	return ip6{ src = "::", hop_limit = 255 } / ns{ code = 0, reserved = 0, target = target }
end

-- What another node sends that tries the same address at the same time ...
function dad.foreign(address, option)
	return ip6{ src = "::", dst = solicited_node(address), hop_limit = 255 } / ns{ target = address, option }
end

-- ... and what one sends that has the address already, to a node that tries it (RFC 4861 7.2.4). It need not
-- say its link-layer address.
function dad.defence(address, option)
	return ip6{ src = address, dst = "ff02::1", hop_limit = 255 }
		/ na{ router = 0, solicited = 0, override = 1, target = address, option }
end

-- Address resolution by `node`, to the solicited-node group of the address or to `destination`.
function dad.question(node, address, destination)
	return ip6{ src = node.link_local, dst = destination or solicited_node(address), hop_limit = 255 }
		/ ns{ target = address, nd_slla{ mac = node.mac } }
end

-- The interface goes down and comes up again, which begins autoconfiguration anew: RFC 4862 5.3. Returns when it
-- was down: what the NUT sent until then belongs to the time before.
function dad.restart(t)
	t:command{ "ip", "link", "set", "dev", "eth0", "down" }
	local down = t:now()
	t:command{ "ip", "link", "set", "dev", "eth0", "up" }
	return down
end

-- The NUT must try an address that `target` (a value or a matcher) matches. Returns the trial: the `address`,
-- when it was tried (`at`), and the `packet`; or nothing if it did not have to. `options`: clause, level, why, and
-- `since`: solicitations from before that moment are of another trial and do not count.
function dad.expect_tried(t, target, within, options)
	options = options or {}
	local over = t:now() + within
	local packet, at
	repeat
		packet, at = t:expect(dad.solicitation(target), { from = t.nut, within = math.max(0, over - t:now()),
			clause = options.clause or dad.TRIED, level = options.level, why = options.why })
	until not packet or at >= (options.since or 0)
	return packet and { address = packet.ns.target, at = at, packet = packet }
end

-- The interface comes up, and the NUT tries its link-local address.
function dad.start(t)
	local down = dad.restart(t)
	return dad.expect_tried(t, dad.LINK_LOCAL, dad.START,
		{ since = down, why = "the NUT must try its link-local address" })
end

-- When duplicate address detection is over, whatever came of it.
function dad.over(trial)
	return trial.at + timing.latest(PERIOD)
end

-- Until it is over: the address is tried once, and not used before.
function dad.expect_period(t, trial)
	timing.wait_until(t, dad.over(trial))
	local used, when = t:expect(ip6{ src = trial.address }, { within = 0, clause = dad.TRIED, level = "MAY",
		why = "a host may say something from its new address" })
	if used then
		t:check(when - trial.at >= timing.earliest(PERIOD),
			string.format("%s is first used %.3f s after it was tried, RetransTimer is %d s",
				trial.address, when - trial.at, timing.RETRANS),
			{ clause = dad.TRIED })
	end
	t:expect_none(dad.solicitation(trial.address),
		{ during = 0, clause = dad.TRIED, why = "the address must be tried once, DupAddrDetectTransmits is 1" })
end

-- The NUT joins the solicited-node group of the address, which it tells by MLD, version 2 or 1. (It must have
-- joined before it tries the address; the report itself may be late by the random delay of MLD.) Returns when.
function dad.expect_joined(t, address, within)
	local group = solicited_node(address)
	local options = { from = t.nut, within = within, clause = dad.JOINED, level = "MAY",
		why = "a report of version 2 that has the solicited-node group" }
	local report, at = t:expect(mld2_report{ mld2_record{ group = group } }, options)
	if report then
		return at
	end
	options.within, options.level = 0, "MUST"
	options.why = "the NUT must join the solicited-node group of the address that it tries"
	return select(2, t:expect(mld_report{ group = group }, options))
end

-- Until it is over: nobody who asks for the address is answered, nor afterwards about what was asked before. What a
-- node tells all routers of a new address is no answer (RFC 9131). `why` says what was sent to the NUT.
function dad.expect_silence(t, trial, why)
	t:expect_none(ip6{ dst = not_equal("ff02::2") } / na{ target = trial.address },
		{ during = math.max(0, dad.over(trial) - t:now()), clause = dad.NO_ANSWER, why = why })
end

-- The NUT advertises the address to the node that asked: the Solicited flag is set, the Router flag is not, and
-- the answer to a multicast solicitation has the link-layer address, which is the `option`.
function dad.expect_answer(t, node, address, option, clause, why)
	t:expect(ip6{ dst = node.link_local, hop_limit = 255 }
		/ na{ code = 0, reserved = 0, router = 0, solicited = 1, target = address, option },
		{ from = t.nut, to = node, within = ANSWER, clause = clause or dad.ANSWER, why = why })
end

-- The NUT has the address: it answers address resolution, by multicast and by unicast.
function dad.expect_assigned(t, trial, clause, why)
	timing.wait_until(t, dad.over(trial))
	t.tn1:send(dad.question(t.tn1, trial.address))
	dad.expect_answer(t, t.tn1, trial.address, nd_tlla{ mac = t.nut.mac }, clause, why)
	t.tn1:send(dad.question(t.tn1, trial.address, trial.address))
	dad.expect_answer(t, t.tn1, trial.address, nil, clause, why)
end

-- The NUT does not have the address, and has not used it since the last packet that was sent to it.
function dad.expect_not_assigned(t, trial, clause, why)
	clause, why = clause or dad.DUPLICATE, why or "a duplicate must not be assigned"
	timing.wait_until(t, dad.over(trial))
	t:expect_none(ip6{ src = trial.address }, { during = 0, clause = clause, why = why })
	t.tn1:send(dad.question(t.tn1, trial.address))
	t.tn1:send(dad.question(t.tn1, trial.address, trial.address))
	t:expect_none(na{ target = trial.address }, { during = SILENCE, clause = clause, why = why })
	t:expect_none(ip6{ src = trial.address }, { during = 0, clause = clause, why = why })
end

-- Another node tries the address that the NUT has: the NUT must tell all nodes that it has it.
function dad.expect_defended(t, address)
	t.tn1:send(dad.foreign(address))
	t:expect(ip6{ dst = "ff02::1", hop_limit = 255 }
		/ na{ code = 0, reserved = 0, solicited = 0, router = 0, target = address, nd_tlla{ mac = t.nut.mac } },
		{ from = t.nut, within = ANSWER, clause = dad.ANSWER, why = "the NUT must defend its address" })
end

-- After a duplicate link-local address. If its identifier came from the hardware address, nothing is sent and
-- nothing is heard any more: neither a Router Solicitation nor an address of a prefix that a router advertises.
-- With any other identifier IP MAY go on (RFC 4862 5.4.5), with another address (RFC 7217 6).
function dad.expect_disabled(t, trial)
	if trial.address ~= eui64("fe80::", t.nut.mac) then
		t:note("the identifier is not that of the hardware address: IP may go on")
		return
	end
	t:expect_none(ip6{}, { from = t.nut, during = 10, clause = dad.DISABLED,
		why = "after a duplicate link-local address nothing should be sent" })
	t.tr1:send(ip6{ src = t.tr1.link_local, dst = "ff02::1" }
		/ ra{ router_lifetime = 1800, nd_prefix{ prefix = setup.PREFIX } })
	t:expect_none(ip6{}, { from = t.nut, during = dad.FORM, clause = dad.DISABLED,
		why = "after a duplicate link-local address no other address should be tried" })
	t.tn1:send(dad.foreign(eui64(setup.PREFIX, t.nut.mac)))
	t:expect_none(ip6{}, { from = t.nut, during = SILENCE, clause = dad.DISABLED,
		why = "after a duplicate link-local address no other address should be defended" })
end

return dad
