-- What the NUT must believe of one neighbour: a model of one Neighbor Cache entry, RFC 4861 sections 5.1,
-- 7.2.3 to 7.2.5 and 7.3, with RFC 7048 and RFC 9131.
--
-- A test brings the entry into a state, says what the NUT is told (each input sends a packet and moves the
-- model), and lets entry:verify() look: an Echo Request, where the reply goes, and when the NUT solicits the
-- neighbour tell the states apart. docs/writing-tests.md has an example.
--
-- The neighbour answers nothing by itself while there is a model of it.
local echo = use "echo"
local timing = use "timing"

local cache = {}

-- What RFC 4861 says of states in plain words is required by RFC 8504 5.4: nodes must do Neighbor Discovery and
-- Neighbor Unreachability Detection.
cache.DISCOVERY = "RFC 8504 5.4 MUST"
-- How addresses are resolved, and how often a neighbour may be solicited.
cache.RESOLVE = "RFC 4861 7.2.2 MUST"
cache.REPEAT = "RFC 4861 7.2.2 SHOULD"
cache.RATE = "RFC 4861 7.3.3 MUST NOT"
-- More than MAX_MULTICAST_SOLICIT or MAX_UNICAST_SOLICIT solicitations come at growing distances.
cache.BACK_OFF = "RFC 7048 3 SHOULD"
-- What nobody asked for confirms nothing.
cache.UNCONFIRMED = "RFC 4861 7.3.1 MUST NOT"
-- A message without a link-layer address makes no entry and changes none.
cache.NO_ADDRESS = "RFC 4861 7.2 MUST NOT"
-- The answer to a solicitation.
cache.ANSWER = "RFC 4861 7.2.4 MUST"
cache.OVERRIDE = "RFC 4861 7.2.4 SHOULD"
-- What an advertisement does to an entry, and that it makes none in a host.
cache.ADVERTISED = "RFC 4861 7.2.5 MUST"
cache.NOT_ADVERTISED = "RFC 4861 7.2.5 MUST NOT"
cache.DISCARD = "RFC 4861 7.2.5 SHOULD"
cache.NOT_CREATED = "RFC 9131 6.1.1 SHOULD"

-- The clauses that reach() and verify() judge by, and `more`: those of the inputs.
function cache.requires(more)
	local clauses = { cache.DISCOVERY, cache.RESOLVE, cache.REPEAT, cache.RATE, cache.BACK_OFF, echo.REPLY }
	for _, clause in ipairs(more or {}) do
		table.insert(clauses, clause)
	end
	return clauses
end

-- Messages other than advertisements that tell a link-layer address: who must record it, and what state the
-- entry must have then. `create` is for an entry that is made of it, `change` for one that was there.
cache.MESSAGES = {
	solicitation = {
		record = "RFC 4861 7.2.3 SHOULD", create = "RFC 4861 7.2.3 SHOULD", change = "RFC 4861 7.2.3 MUST",
	},
	router_advertisement = {
		record = "RFC 4861 6.3.4 SHOULD", create = "RFC 4861 6.3.4 MUST", change = "RFC 4861 6.3.4 MUST",
	},
	redirect = { record = "RFC 8504 5.4 SHOULD", create = "RFC 4861 8.3 MUST", change = "RFC 4861 8.3 MUST" },
}

-- How long a packet to a neighbour whose link-layer address is known may take, and the first solicitation of
-- one whose is not. No RFC says; nothing has to be waited for.
local AT_ONCE = 1
-- Between what the NUT is told and the Echo Request that shows what it made of it.
local PAUSE = 0.2

-- The methods of an entry.
local methods = {}

-- A link-layer address that nobody has: what `node` may say that it has moved to.
function cache.other_mac(node)
	return "02:00:00:00:02:" .. node.mac:sub(-2)
end

-- The entry of `node` in the NUT, which must not know it yet. In `options`, all of them optional:
--   address        the neighbour's address that the entry is about: its link-local address
--   mac            the link-layer address that it says it has: its own
--   nut            the NUT's address that it talks to: the link-local one
--   through        a node behind the neighbour, whose Echo Requests show the entry: replies to it go to the
--                  neighbour, who is a router. `peer` is its address, the global one, and `nut` must be given
--   reachable_time, retrans_timer
--                  BaseReachableTime and RetransTimer, seconds, if a router has advertised other ones than
--                  those of RFC 4861 section 10
--   rate           the clause that says how far multicast solicitations are apart: cache.RESOLVE
function cache.entry(t, node, options)
	options = options or {}
	node:stop_answering()
	local entry = {
		t = t,
		node = node,
		address = options.address or node.link_local,
		own_mac = options.mac or node.mac,
		nut = options.nut or t.nut.link_local,
		through = options.through or node,
		peer = options.peer or options.through and options.through.global or options.address or node.link_local,
		reachable_time = options.reachable_time or timing.REACHABLE,
		retrans_timer = options.retrans_timer or timing.RETRANS,
		rate_clause = options.rate or cache.RESOLVE,
		is_router = node.name:sub(1, 2) == "tr",
		-- Echo Requests of two entries have different numbers.
		number = tonumber(node.mac:sub(-2), 16) << 8,
		waiting = {},
		state = "NONE",
		because = "the NUT has heard nothing of it",
		record_clause = cache.DISCOVERY,
		state_clause = cache.DISCOVERY,
	}
	for name, method in pairs(methods) do
		entry[name] = method
	end
	return entry
end

-- ---------------------------------------------------------------------------------------------- the model

-- The entry is in `state` now. `because` says why; `record` and `clause` are the clauses for the link-layer
-- address and for the state.
local function move(entry, state, mac, because, record, clause)
	entry.state = state
	entry.mac = mac
	entry.because = because
	entry.record_clause = record
	entry.state_clause = clause
end

-- What a step has to say when it is not met: `text`, and why that follows from what the NUT was told.
local function why(entry, text)
	local name = entry.node.name:upper()
	local believed = entry.state == "NONE" and "there must be no entry of " .. name
		or string.format("the entry of %s must be %s%s", name, entry.state, entry.mac and " with " .. entry.mac or "")
	return string.format("%s (%s, so %s)", text, entry.because, believed)
end

local function is_should(clause)
	return clause:find("SHOULD") or clause:find("should")
end

-- A SHOULD was not met, so it is not known what the NUT believes: nothing more is judged.
local function lose(entry)
	entry.state = "UNKNOWN"
	return false
end

-- The NUT has sent the neighbour a packet: the first one in STALE starts the five seconds of DELAY.
local function used(entry, at)
	if entry.state == "STALE" then
		entry.state = "DELAY"
		entry.delayed = at
	elseif entry.state == "DELAY" then
		entry.delayed = math.min(entry.delayed, at)
	end
end

-- The NUT has begun to solicit the neighbour.
local function begin_soliciting(entry, at)
	entry.solicited, entry.solicitations, entry.distance = at, 1, entry.retrans_timer
end

-- The neighbour is told to have `mac` by something that nobody asked for.
local function learn(entry, mac, message, because)
	local rule = cache.MESSAGES[message]
	if not mac then
		entry:ignores(cache.NO_ADDRESS, because)
	elseif mac ~= entry.mac then
		local known = entry.state ~= "NONE" and entry.state ~= "INCOMPLETE"
		move(entry, "STALE", mac, because, rule.record, known and rule.change or rule.create)
	else
		entry:ignores(entry.state == "REACHABLE" and cache.DISCOVERY or cache.UNCONFIRMED, because)
	end
end

-- RFC 4861 7.2.5 for an entry whose link-layer address is known. `mac` is nil if the advertisement has none.
local function take_advertisement(entry, solicited, override, mac, because)
	if not override and mac and mac ~= entry.mac then
		-- Rule I: someone else may be right.
		if entry.state == "REACHABLE" then
			move(entry, "STALE", entry.mac, because, cache.DISCOVERY, cache.DISCOVERY)
		else
			entry:ignores(cache.NOT_ADVERTISED, because)
		end
	elseif solicited then
		move(entry, "REACHABLE", mac or entry.mac, because, cache.ADVERTISED, cache.ADVERTISED)
		entry.confirmed = entry.t:now()
	elseif mac and mac ~= entry.mac then
		move(entry, "STALE", mac, because, cache.ADVERTISED, cache.ADVERTISED)
	else
		entry:ignores(entry.state == "REACHABLE" and cache.ADVERTISED or cache.UNCONFIRMED, because)
	end
end

local function advertised(entry, solicited, override, mac, because)
	if entry.state == "NONE" then
		entry:ignores(cache.NOT_CREATED, because)
		entry.unasked = not solicited
	elseif entry.state ~= "INCOMPLETE" then
		take_advertisement(entry, solicited, override, mac, because)
	elseif not mac then
		entry:ignores(cache.DISCARD, because)
	else
		-- The Override flag does not matter here.
		move(entry, solicited and "REACHABLE" or "STALE", mac, because, cache.DISCOVERY, cache.DISCOVERY)
		entry.confirmed = solicited and entry.t:now()
	end
end

-- --------------------------------------------------------------------------------------- packets of the NUT

-- Any solicitation for the neighbour.
local function any_solicitation(entry)
	return ip6{ src = not_equal("::") } / ns{ target = entry.address }
end

local function multicast_solicitation(entry)
	local group = solicited_node(entry.address)
	return ether{ dst = multicast_mac(group) } / ip6{ dst = group, hop_limit = 255 }
		/ ns{ code = 0, reserved = 0, target = entry.address, nd_slla{ mac = entry.t.nut.mac } }
end

-- The link-layer address of the sender SHOULD be in it and may be left out.
local function unicast_solicitation(entry)
	return ether{ dst = entry.mac } / ip6{ dst = entry.address, hop_limit = 255 }
		/ ns{ code = 0, reserved = 0, target = entry.address }
end

local function reply(entry, number)
	return echo.reply(number, 8, { src = entry.nut, dst = entry.peer })
end

-- The next Echo Request, whose reply goes to the neighbour. Returns its number.
local function ping(entry)
	entry.number = entry.number + 1
	entry.through:send(ip6{ src = entry.peer, dst = entry.nut } / echo.request(entry.number))
	return entry.number
end

-- The reply must go to the link-layer address of the model, without delay. False if it did not and did not
-- have to.
local function expect_reply(entry, number)
	local answer, at = entry.t:expect(ether{ dst = entry.mac } / reply(entry, number),
		{ from = entry.t.nut, within = AT_ONCE, clause = entry.record_clause,
			why = why(entry, string.format("an Echo Reply must go to %s at once", entry.mac)) })
	if not answer then
		return lose(entry)
	end
	used(entry, at)
	return true
end

-- What waited for the link-layer address must be sent. A queue may be as short as one packet: the newest.
local function expect_waiting(entry)
	local newest = entry.waiting[#entry.waiting]
	entry.waiting = {}
	return not newest or not entry.mac or expect_reply(entry, newest)
end

-- No solicitation for the neighbour during so many seconds.
local function expect_no_solicitation(entry, seconds, text)
	entry.t:expect_none(any_solicitation(entry), { during = math.max(0, seconds), clause = entry.state_clause,
		why = why(entry, text) })
end

-- Let the NUT take in what it was told.
local function pause(entry)
	if entry.state == "INCOMPLETE" or entry.state == "PROBE" then
		entry.t:wait(PAUSE)
	else
		expect_no_solicitation(entry, PAUSE, "nothing was sent to the neighbour, so it must not be solicited")
	end
end

-- The first solicitation of address resolution, caused by something that was just sent. `clause` says that the NUT
-- must ask at all.
local function expect_resolution(entry, clause, text)
	local t, group = entry.t, solicited_node(entry.address)
	local asked, at = t:expect(any_solicitation(entry),
		{ from = t.nut, within = AT_ONCE, clause = clause, why = text })
	if not asked then
		return lose(entry)
	end
	t:check(asked.ip6.dst == group and asked.ether.dst == multicast_mac(group),
		string.format("the solicitation goes to %s (%s), it must go to the solicited-node group %s", asked.ip6.dst,
			asked.ether.dst, group), { clause = cache.RESOLVE })
	t:check(asked.ns.nd_slla and asked.ns.nd_slla.mac == t.nut.mac,
		"a multicast solicitation must have the NUT's link-layer address", { clause = cache.RESOLVE })
	t:check(asked.ip6.hop_limit == 255 and asked.ns.code == 0 and asked.ns.reserved == 0,
		string.format("the solicitation has Hop Limit %d, Code %d and Reserved 0x%08x, they must be 255, 0 and 0",
			asked.ip6.hop_limit, asked.ns.code, asked.ns.reserved), { clause = cache.DISCOVERY })
	t:check(asked.ip6.src == entry.nut,
		string.format("a packet from %s waits, so that should be the source of the solicitation", entry.nut),
		{ clause = cache.REPEAT })
	move(entry, "INCOMPLETE", nil, "the NUT has a packet for it and must ask for its link-layer address",
		cache.DISCOVERY, cache.DISCOVERY)
	begin_soliciting(entry, at)
	return true
end

-- Who backs off from the beginning does it as in RFC 7048 section 4: three times as long from one solicitation to
-- the next, and by up to half of that longer.
local BACK_OFF_MULTIPLE = 3
-- The distance that it does not exceed there, seconds.
local MAX_RETRANS_TIMER = 60

-- How long the solicitation that follows one `distance` seconds after the one before may take.
local function longest_distance(distance)
	return math.max(distance, math.min(distance * BACK_OFF_MULTIPLE, MAX_RETRANS_TIMER)) * timing.MAX_RANDOM_FACTOR
end

-- The rest of the three solicitations, which `solicitation` (a pattern) says the form of: RetransTimer apart, by
-- the clause `rate` not less. False if one did not come, or came early, and that was only a SHOULD.
local function expect_further(entry, solicitation, clause, rate)
	local t = entry.t
	for count = entry.solicitations + 1, timing.SOLICITATIONS do
		local longest = count == 2 and entry.retrans_timer * timing.MAX_RANDOM_FACTOR or longest_distance(entry.distance)
		local next, at = t:expect(solicitation(entry), { from = t.nut,
			within = math.max(0, entry.solicited + timing.latest(longest) - t:now()), clause = clause,
			why = why(entry, string.format("solicitation %d of %d must come RetransTimer after the one before", count,
				timing.SOLICITATIONS)) })
		if not next then
			return false
		end
		local distance = at - entry.solicited
		if not t:check(distance >= timing.earliest(entry.retrans_timer),
			string.format("solicitation %d comes %.3f s after the one before, RetransTimer is %g s", count, distance,
				entry.retrans_timer),
			{ clause = rate }) then
			return false
		end
		if distance > timing.latest(entry.retrans_timer) then
			t:note(string.format("solicitation %d comes %.3f s after the one before: the NUT backs off, as RFC 7048 allows",
				count, distance))
		end
		entry.solicited, entry.solicitations, entry.distance = at, count, distance
	end
	return true
end

-- MAX_MULTICAST_SOLICIT or MAX_UNICAST_SOLICIT solicitations are out. A node may go on at growing distances (RFC
-- 7048): then the entry is UNREACHABLE in its words, else there is none any more.
local function expect_back_off(entry)
	local t, more = entry.t, 0
	while more < 2 do
		local next, at = t:expect(any_solicitation(entry), { from = t.nut,
			within = timing.latest(longest_distance(entry.distance)), clause = cache.BACK_OFF, level = "MAY",
			why = "a node may go on to solicit a neighbour that does not answer" })
		if not next then
			break
		end
		-- The first one more may come a RetransTimer after the last of the three; from then on it takes longer.
		local distance = at - entry.solicited
		more = more + 1
		t:check(more == 1 or distance > entry.distance or distance > MAX_RETRANS_TIMER * timing.MIN_RANDOM_FACTOR,
			string.format("solicitation %d comes %.3f s after the one before, that came after %.3f s: whoever sends "
				.. "more than %d should do so at growing distances", timing.SOLICITATIONS + more, distance,
				entry.distance, timing.SOLICITATIONS),
			{ clause = cache.BACK_OFF })
		entry.solicited, entry.distance = at, math.max(distance, entry.distance)
	end
	t:note(more == 0 and "the NUT gives up after MAX_MULTICAST_SOLICIT or MAX_UNICAST_SOLICIT solicitations"
		or "the NUT goes on to solicit the neighbour, as RFC 7048 allows")
	entry.state = more == 0 and "NONE" or "UNKNOWN"
end

-- -------------------------------------------------------------------------------------------------- inputs

-- Nothing that came changes the entry, and `clause` says so.
function methods:ignores(clause, because)
	move(self, self.state, self.mac, because, clause, clause)
end

-- The test has sent a message of this kind (cache.MESSAGES) that is about the neighbour, with its link-layer
-- address `mac` or, if false, with none. What the NUT kept for the neighbour must be sent now.
function methods:told(message)
	assert(cache.MESSAGES[message.by], "by: one of cache.MESSAGES")
	local text = string.format("a %s %s came in state %s", (message.by:gsub("_", " ")),
		message.mac and "with address " .. message.mac or "without an address", self.state)
	learn(self, message.mac, message.by, text)
	return expect_waiting(self)
end

-- The neighbour advertises itself. In `given`: solicited, override and router as the flags (router is the
-- neighbour's own, if it is not given), mac for the Target Link-Layer Address, false for none, and `to`.
function methods:advertise(given)
	local mac = given.mac == nil and self.own_mac or given.mac
	local options = mac and { nd_tlla{ mac = mac } } or {}
	local router = given.router == nil and self.is_router or given.router
	local solicited, override = given.solicited or false, given.override or false
	self.node:send(ip6{ src = self.address, dst = given.to or self.nut, hop_limit = 255 }
		/ na{ target = self.address, router = router, solicited = solicited, override = override, options = options })
	advertised(self, solicited, override, mac or nil,
		string.format("an advertisement with Solicited %d, Override %d and %s came in state %s", solicited and 1 or 0,
			override and 1 or 0, mac and "address " .. mac or "no address", self.state))
	return expect_waiting(self)
end

-- The neighbour solicits the NUT, with `mac` as its Source Link-Layer Address, false for none, and the NUT must
-- answer. `to` is the NUT's address, or its solicited-node group. False if the NUT did not make an entry of it and
-- so solicits the neighbour first.
function methods:solicit(given)
	local t, mac = self.t, given.mac == nil and self.own_mac or given.mac
	local to = given.to or self.nut
	self.node:send(ip6{ src = self.address, dst = to, hop_limit = 255 }
		/ ns{ target = self.nut, options = mac and { nd_slla{ mac = mac } } or {} })
	local unknown = self.state == "NONE"
	if not self:told{ by = "solicitation", mac = mac } then
		return false
	end
	if self.state == "NONE" then
		-- The answer waits for the neighbour's link-layer address.
		return expect_resolution(self, cache.RESOLVE,
			"a solicitation without a link-layer address can only be answered after address resolution")
	elseif self.state == "INCOMPLETE" then
		return true
	end

	local weak = unknown and is_should(self.record_clause)
	local answer, at = t:expect(na{ target = self.nut },
		{ from = t.nut, within = AT_ONCE, clause = cache.ANSWER, level = weak and "MAY" or "MUST",
			why = "a solicitation must be answered by an advertisement" })
	if not answer then
		local asked = t:expect(any_solicitation(self),
			{ within = 0, clause = self.record_clause, level = "MAY", why = "or the NUT solicits the neighbour first" })
		t:check(asked, "a solicitation must be answered", { clause = cache.ANSWER })
		t:check(false, why(self, "the NUT solicits the neighbour before it answers"), { clause = self.record_clause })
		return lose(self)
	end
	t:check(answer.ip6.dst == self.address and answer.ip6.hop_limit == 255,
		string.format("the answer goes to %s with Hop Limit %d, it must go to %s with Hop Limit 255", answer.ip6.dst,
			answer.ip6.hop_limit, self.address), { clause = cache.ANSWER })
	t:check(answer.na.code == 0 and answer.na.router == 0 and answer.na.solicited == 1 and answer.na.reserved == 0,
		string.format("the answer has Code %d, Router %d, Solicited %d and Reserved 0x%08x, they must be 0, 0, 1 and 0",
			answer.na.code, answer.na.router, answer.na.solicited, answer.na.reserved), { clause = cache.ANSWER })
	local has_address = answer.na.nd_tlla ~= nil
	t:check(answer.ether.dst == self.mac,
		why(self, string.format("the NUT answers to %s", answer.ether.dst)), { clause = self.record_clause })
	t:check(has_address or not in_prefix(to, "ff00::/8"),
		"the answer to a multicast solicitation must have the NUT's link-layer address", { clause = cache.ANSWER })
	t:check(not has_address or answer.na.nd_tlla.mac == t.nut.mac,
		"the link-layer address in the answer must be the NUT's", { clause = cache.ANSWER })
	t:check((answer.na.override == 1) == has_address,
		"the Override flag should be set with a link-layer address, and only then", { clause = cache.OVERRIDE })
	used(self, at)
	return true
end

-- ------------------------------------------------------------------------------------------- into a state

-- One step towards a state, by packets; the state that it begins in is its name.
local step = {}

-- The NUT has to answer an Echo Request and does not know where the neighbour is.
function step.NONE(entry)
	entry.waiting = { ping(entry) }
	expect_resolution(entry, cache.RESOLVE, "an Echo Request of a neighbour that the NUT does not know starts address "
		.. "resolution: a multicast solicitation with the NUT's link-layer address")
end

-- The neighbour says where it is, asked or not.
function step.INCOMPLETE(entry, goal)
	entry:advertise{ solicited = goal == "REACHABLE" or goal == "STALE", override = true }
end

-- Nothing confirms that the neighbour is reachable for the longest ReachableTime.
function step.REACHABLE(entry)
	local over = entry.confirmed + timing.latest(entry.reachable_time * timing.MAX_RANDOM_FACTOR)
	timing.wait_until(entry.t, over)
	move(entry, "STALE", entry.mac, "it was not confirmed within ReachableTime", cache.DISCOVERY, cache.DISCOVERY)
end

-- A packet is sent to the neighbour.
function step.STALE(entry)
	expect_reply(entry, ping(entry))
end

-- Five seconds later it is solicited.
function step.DELAY(entry)
	local t = entry.t
	local clause = is_should(entry.state_clause) and cache.DISCOVERY or entry.state_clause
	local early = entry.delayed + timing.earliest(timing.DELAY_FIRST_PROBE)
	expect_no_solicitation(entry, early - t:now(), "no solicitation may come within DELAY_FIRST_PROBE_TIME (5 s)")
	local _, at = t:expect(unicast_solicitation(entry), { from = t.nut,
		within = math.max(0, entry.delayed + timing.latest(timing.DELAY_FIRST_PROBE) - t:now()), clause = clause,
		why = why(entry, string.format("a unicast solicitation must come to %s DELAY_FIRST_PROBE_TIME (5 s) after the "
			.. "first packet", entry.mac)) })
	move(entry, "PROBE", entry.mac, "it was used and nothing confirmed it", cache.DISCOVERY, cache.DISCOVERY)
	begin_soliciting(entry, at)
end

-- The neighbour answers the solicitation.
function step.PROBE(entry, goal)
	assert(goal == "REACHABLE" or goal == "STALE", "PROBE leads to REACHABLE and STALE only")
	entry:advertise{ solicited = true, override = true }
end

-- Bring the NUT into a state, from the one that it is in: INCOMPLETE, REACHABLE, STALE, DELAY or PROBE. PROBE is
-- reached with the first of its solicitations.
function methods:reach(goal)
	while self.state ~= goal do
		assert(step[self.state], "the model is in state " .. self.state)
		step[self.state](self, goal)
	end
end

-- For what a set-up did already: the entry is in `state`, and of REACHABLE the last confirmation came at
-- `confirmed` (t:now(), if it is not given).
function methods:assume(state, confirmed)
	move(self, state, self.own_mac, "the set-up made it so", cache.DISCOVERY, cache.DISCOVERY)
	self.confirmed = confirmed or self.t:now()
end

-- From now on the entry of a router shows by what it is given for `node`, who is behind it: replies to that node
-- from the NUT's address `nut`. (The option `through` of cache.entry is for a NUT that has that address already.)
function methods:look_through(node, nut)
	self.through, self.peer, self.nut = node, node.global, nut
end

-- ----------------------------------------------------------------------------------------------- judgement

local verify = {}

-- The NUT has made an entry of an unsolicited advertisement, which it should not. That confirms nothing, so when
-- it uses the entry it must find out whether the neighbour is there.
local function expect_doubt(entry, number)
	local t = entry.t
	local answer = t:expect(reply(entry, number), { from = t.nut, within = 0, clause = cache.UNCONFIRMED, level = "MAY",
		why = "the NUT may have made an entry" })
	if answer then
		t:expect(ip6{ dst = entry.address } / ns{ target = entry.address }, { from = t.nut,
			within = timing.latest(timing.DELAY_FIRST_PROBE), clause = cache.UNCONFIRMED,
			why = string.format("the NUT answers to %s without having asked for that address, so it must at least probe it",
				answer.ether.dst) })
	end
end

-- Nothing is known of the neighbour: what is sent to it starts address resolution.
function verify.NONE(entry)
	expect_no_solicitation(entry, echo.SILENCE, "nothing was sent to the neighbour, so it must not be solicited")
	local number = ping(entry)
	local clause = entry.record_clause
	local text = why(entry, "the NUT has to ask for its link-layer address before it answers an Echo Request")
	if not expect_resolution(entry, clause, text) then
		if entry.unasked then
			expect_doubt(entry, number)
		end
		return false
	end
	entry.waiting = { number }
	entry.t:expect_none(reply(entry, number), { during = AT_ONCE, clause = clause, why = text })
	return true
end

-- Nothing is sent to the neighbour during so many seconds, because nobody can know where it is.
local function expect_unresolved(entry, seconds)
	local options = { during = seconds, clause = entry.record_clause,
		why = why(entry, "nothing can be sent to a neighbour whose link-layer address is not known") }
	entry.t:expect_none(ip6{ src = entry.nut, dst = entry.peer } / echo_reply{}, options)
	options.during = 0
	entry.t:expect_none(ip6{ dst = entry.address } / na{}, options)
	entry.t:expect_none(ip6{ dst = entry.address } / ns{ target = entry.address }, options)
end

-- Solicitations go on, RetransTimer apart, and nothing else is sent to the neighbour.
function verify.INCOMPLETE(entry)
	expect_unresolved(entry, timing.latest(entry.retrans_timer))
	local complete = expect_further(entry, multicast_solicitation, cache.REPEAT, entry.rate_clause)
	expect_unresolved(entry, 0)
	if not complete then
		return lose(entry)
	end
	expect_back_off(entry)
	return true
end

-- The reply goes to the neighbour, and nobody has to ask whether it arrives.
function verify.REACHABLE(entry)
	local t = entry.t
	pause(entry)
	local over = entry.confirmed + timing.earliest(entry.reachable_time * timing.MIN_RANDOM_FACTOR)
	assert(t:now() + AT_ONCE < over, "the test takes so long that the neighbour may be STALE again")
	if not expect_reply(entry, ping(entry)) then
		return false
	end
	expect_no_solicitation(entry, timing.latest(timing.DELAY_FIRST_PROBE),
		"a neighbour that was confirmed must not be solicited")
	return true
end

-- The reply goes to the neighbour, and five seconds after the first packet the neighbour is asked.
function verify.STALE(entry)
	pause(entry)
	if not expect_reply(entry, ping(entry)) then
		return false
	end
	step.DELAY(entry)
	return true
end

verify.DELAY = verify.STALE

-- Unicast solicitations go on, RetransTimer apart.
function verify.PROBE(entry)
	if not expect_further(entry, unicast_solicitation, entry.state_clause, cache.RATE) then
		return lose(entry)
	end
	expect_back_off(entry)
	return true
end

-- What was not met is said already.
function verify.UNKNOWN()
	return false
end

-- Look whether the NUT believes what the model does. Afterwards the entry has moved on: from STALE and DELAY to
-- PROBE, from PROBE and INCOMPLETE to none. False if it did not and did not have to.
function methods:verify()
	return verify[self.state](self)
end

return cache
