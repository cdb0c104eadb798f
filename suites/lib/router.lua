-- Router and prefix discovery as a host does it: RFC 4861 section 6.3, with the preferences and routes of RFC
-- 4191 and the choice by source prefix of RFC 8028.
--
-- `router.list(t)` is what the NUT must know by now: its Default Router List (with RFC 4191: its routes), its
-- Prefix List and the variables of its interface. `routers:advertise(t.tr1, { ... })` sends a Router
-- Advertisement and changes all that as the RFC says; the `expect_` steps ask the NUT. An invalid advertisement
-- must change nothing: send it with `node:send` and router.advertisement, and the model does not hear of it.
--
-- The first hop cannot be asked for, it can be seen: TN2 is off link, so the reply to its Echo Request goes to
-- the link-layer address of the router that the NUT chose.
local echo = use "echo"
local setup = use "setup"
local timing = use "timing"

local router = {}

-- Hosts must support Router Discovery and Prefix Discovery.
router.DISCOVERY = "RFC 8504 5.4 MUST"
-- What went through a router that is not on the list any more must be sent another way.
router.REMOVED = "RFC 4861 6.3.5 MUST"
-- A router that is reachable is better than one that is not.
router.REACHABLE = "RFC 4861 6.3.6 SHOULD"
-- A router that advertised the prefix of the source address is better than one that did not.
router.SOURCE = "RFC 8028 3.2 SHOULD"
-- Type C hosts take the longest prefix, and of those the best preference.
router.PREFERENCE = "RFC 8504 5.9 SHOULD"
-- Without a router the host must not look on the link for an address that it was not told is there.
router.NO_ROUTER = "RFC 5942 4 MUST NOT"
-- Nor for one of a prefix whose Valid Lifetime is over.
router.OFF_LINK = "RFC 5942 4 MUST"
-- CurHopLimit, BaseReachableTime, RetransTimer and LinkMTU are those of the last advertisement that has them.
router.VARIABLES = "RFC 4861 6.3.4 SHOULD"

-- The clauses of expect_first_hop and expect_no_first_hop where routers come and go, and `more`: SOURCE and
-- PREFERENCE, where routers differ in that.
function router.requires(more)
	local clauses = { router.DISCOVERY, router.REMOVED, router.NO_ROUTER, echo.REPLY, setup.ADDRESS }
	for _, clause in ipairs(more or {}) do
		table.insert(clauses, clause)
	end
	return clauses
end

-- Prf of Router Advertisements and of Route Information options (RFC 4191 section 2.1).
router.HIGH, router.MEDIUM, router.LOW, router.RESERVED = 1, 0, 3, 2
local RANK = { [router.HIGH] = 1, [router.MEDIUM] = 0, [router.LOW] = -1 }
local DEFAULT_ROUTE = "::/0"

-- Lifetimes of 32 bits: all ones are for ever.
router.INFINITY = 0xffffffff

-- Prefix X in a Prefix Information option, for autoconfiguration and on link; `fields` are others of it.
function router.prefix_x(fields)
	local all = { prefix = setup.PREFIX, valid_lifetime = 3600, preferred_lifetime = 3600 }
	for name, value in pairs(fields or {}) do
		all[name] = value
	end
	return nd_prefix(all)
end

-- The layer of a Router Advertisement: a router for half an hour, the RFC's own 30 s and 1 s as Reachable Time
-- and Retrans Timer, and prefix X for an hour. (The published list's own lifetimes are 20 s, less than many of
-- its tests need.) `fields` are those of ra{} and its further options; `prefix` is another Prefix Information
-- option in the place of prefix X, or false for none. There is no link-layer address unless it is among the
-- options.
function router.advertisement(fields)
	local all = { router_lifetime = 1800, reachable_time = 30000, retrans_timer = 1000 }
	for name, value in pairs(fields) do
		if type(name) == "string" and name ~= "prefix" then
			all[name] = value
		end
	end
	if fields.prefix ~= false then
		table.insert(all, fields.prefix or router.prefix_x())
	end
	for _, option in ipairs(fields) do
		table.insert(all, option)
	end
	return ra(all)
end

-- A valid advertisement of `fields` from `node`, as a packet that is not sent yet.
local function packet(node, fields)
	return ip6{ src = node.link_local, dst = "ff02::1" } / router.advertisement(fields)
end

-- One thing is wrong with each of these: a node must silently discard it (RFC 4861 section 6.1.2). `what` goes
-- into reason texts, `make(node, fields)` gives the packet.
router.INVALID = "RFC 4861 6.1.2 MUST"
router.INVALID_ADVERTISEMENTS = {
	source = {
		what = "a global source address",
		make = function(node, fields) return packet(node, fields):with("ip6", { src = node.global }) end,
	},
	hop_limit = {
		what = "Hop Limit 254",
		make = function(node, fields) return packet(node, fields):with("ip6", { hop_limit = 254 }) end,
	},
	checksum = {
		what = "a wrong checksum",
		make = function(node, fields) return packet(node, fields):with("ra", { checksum = 0 }) end,
	},
	code = {
		what = "code 1",
		make = function(node, fields) return packet(node, fields):with("ra", { code = 1 }) end,
	},
	-- The last two octets of Retrans Timer are missing; the checksum is right for what is there.
	length = {
		what = "an ICMP length of 14",
		make = function(node, fields)
			local valid = packet(node, fields)
			return ip6{ src = node.link_local, dst = "ff02::1", hop_limit = 255 }
				/ icmp6{ type = 134, data = valid:bytes():sub(45, 54) }
		end,
	},
	-- It comes last, behind options that would be good.
	option_length = {
		what = "an option of length 0",
		make = function(node, fields)
			local all = { nd_mtu{ length = 0 } }
			for name, value in pairs(fields) do
				if type(name) == "string" then
					all[name] = value
				end
			end
			for at, option in ipairs(fields) do
				table.insert(all, at, option)
			end
			return packet(node, all)
		end,
	},
}

-- Methods of router.list(t).
local list = {}

-- What the NUT must know: nothing yet, as in the snapshot.
function router.list(t)
	local routers = {
		t = t,
		routers = {},  -- every node that ever advertised, in order
		routes = {},   -- { node, prefix, preference, heard, lifetime }: the Default Router List has ::/0
		prefixes = {}, -- { prefix, heard, lifetime }: the Prefix List
		advertised = {}, -- [node][prefix]: whose Prefix Information had it, on link or not (RFC 8028)
		removed = {}, -- [node]: it was on the Default Router List and is not any more
		unreachable = {}, -- [node]: address resolution or unreachability detection failed
		base_reachable_time = timing.REACHABLE, -- seconds
		retrans_timer = timing.RETRANS, -- seconds
		cur_hop_limit = nil, -- nobody told any
		number = 0x2000, -- of the last Echo Request
	}
	for name, method in pairs(list) do
		routers[name] = method
	end
	return routers
end

-- Set-ups 1.1, 1.2 and 1.3: one, two or three routers ({ t.tr1, t.tr2 }) advertise themselves and prefix X, or
-- what `fields` say; the NUT has an address of prefix X and each router is REACHABLE.
function router.set_up(t, nodes, fields)
	local routers = router.list(t)
	for _, node in ipairs(nodes) do
		routers:advertise(node, fields)
	end
	routers:wait_for_address()
	for _, node in ipairs(nodes) do
		routers:confirm(node)
	end
	return routers
end

-- --- what the NUT hears ---------------------------------------------------------------------------------------

local function find(entries, matches)
	for at, entry in ipairs(entries) do
		if matches(entry) then
			return entry, at
		end
	end
end

-- Add an entry, give it a new lifetime, or take it off the list.
local function update(entries, entry, matches)
	local _, at = find(entries, matches)
	if at then
		table.remove(entries, at)
	end
	if entry.lifetime > 0 then
		table.insert(entries, entry)
	end
end

-- A route of RFC 4191 section 3.1. A router that is on the list without any preference is one of medium.
local function update_route(self, node, prefix_text, preference, lifetime)
	if prefix_text == DEFAULT_ROUTE then
		self.removed[node] = lifetime == 0 and (self.removed[node] or self:expiry(node) ~= nil)
	end
	update(self.routes,
		{ node = node, prefix = prefix_text, preference = preference, heard = self.t:now(), lifetime = lifetime },
		function(route) return route.node == node and route.prefix == prefix_text end)
end

local function lifetime_of(seconds)
	return seconds == router.INFINITY and math.huge or seconds
end

local function hear_prefix(self, node, option)
	local text = option.prefix .. "/" .. option.prefix_length
	self.advertised[node][text] = true
	-- Without the L flag it says nothing about what is on link, and the link-local prefix always is.
	if option.on_link == 0 or in_prefix(option.prefix, "fe80::/64") then
		return
	end
	update(self.prefixes, { prefix = text, heard = self.t:now(), lifetime = lifetime_of(option.valid_lifetime) },
		function(known) return known.prefix == text end)
end

-- `node` has sent the valid Router Advertisement `sent` (what node:send returned).
function list:hear(node, sent)
	local message = sent.ra
	if not self.advertised[node] then
		table.insert(self.routers, node)
		self.advertised[node] = {}
	end
	-- The reserved preference is medium here (RFC 4191 section 2.2) ...
	local preference = RANK[message.preference] and message.preference or router.MEDIUM
	update_route(self, node, DEFAULT_ROUTE, preference, message.router_lifetime)
	for _, option in ipairs(message.options) do
		if option.name == "nd_prefix" then
			hear_prefix(self, node, option)
		elseif option.name == "nd_route_info" and option.preference ~= router.RESERVED then
			-- ... and makes a Route Information option void (section 2.3).
			update_route(self, node, option.prefix .. "/" .. option.prefix_length, option.preference,
				lifetime_of(option.lifetime))
		end
	end
	-- Zero is "not specified": the NUT goes on with what it has.
	self.base_reachable_time = message.reachable_time > 0 and message.reachable_time / 1000 or self.base_reachable_time
	self.retrans_timer = message.retrans_timer > 0 and message.retrans_timer / 1000 or self.retrans_timer
	self.cur_hop_limit = message.cur_hop_limit > 0 and message.cur_hop_limit or self.cur_hop_limit
end

-- `node` sends a Router Advertisement: router.advertisement(fields) from its link-local address to all nodes, or
-- to `destination`. Returns it.
function list:advertise(node, fields, destination)
	local sent = node:send(packet(node, fields or {}):with("ip6", { dst = destination or "ff02::1" }))
	self:hear(node, sent)
	return sent
end

-- `node` told that it is no router any more (the R flag of a Neighbor Advertisement, RFC 4861 section 7.3.3).
function list:remove(node)
	update_route(self, node, DEFAULT_ROUTE, router.MEDIUM, 0)
end

-- The NUT can have found out that `node` does not answer; or does, again.
function list:set_reachable(node, is_reachable)
	self.unreachable[node] = not is_reachable or nil
end

-- --- what it must know by now -----------------------------------------------------------------------------------

-- Whether the entry is there: true, false, or nil while its end may or may not have come.
local function is_there(self, entry)
	local age = self.t:now() - entry.heard
	if age < timing.earliest(entry.lifetime) then
		return true
	elseif age >= timing.latest(entry.lifetime) then
		return false
	end
end

-- The NUT's address of prefix X, which it was seen to try.
function list:address()
	return self.t.nut:address_in(setup.PREFIX_X)
end

-- After the first advertisement of prefix X: wait until the NUT has its address of it. `node` asks it, TN1 if it
-- is not named; no router does, so that the NUT knows no more of routers than before.
function list:wait_for_address(node)
	return setup.wait_for_address(self.t, setup.PREFIX_X, self.retrans_timer, node or self.t.tn1)
end

-- `node` gets a reply from the NUT, which resolves and confirms the link-local address of `node` for it.
function list:confirm(node)
	self.number = self.number + 1
	echo.control(self.t, node, self.number)
	self:set_reachable(node, true)
end

-- Whether the destination is on link: true, false, or nil while a prefix of it may be over or not. Link-local
-- addresses always are.
function list:is_on_link(destination)
	local answer = in_prefix(destination, "fe80::/10")
	for _, known in ipairs(self.prefixes) do
		if not answer and in_prefix(destination, known.prefix) then
			answer = is_there(self, known)
		end
	end
	return answer
end

local function prefix_length(route)
	return tonumber(route.prefix:match("/(%d+)$"))
end

local function filter(entries, keep)
	local kept = {}
	for _, entry in ipairs(entries) do
		if keep(entry) then
			table.insert(kept, entry)
		end
	end
	return kept
end

-- Those that `is_better` keeps, or all if it keeps none.
local function prefer(routes, is_better)
	local better = filter(routes, is_better)
	return #better > 0 and better or routes
end

local function best(routes, value)
	local most = -math.huge
	for _, route in ipairs(routes) do
		most = math.max(most, value(route))
	end
	return filter(routes, function(route) return value(route) == most end)
end

-- The rules by which one of several routes is chosen, the strongest first.
local RULES = {
	{
		clause = router.REACHABLE,
		text = "a router that is reachable",
		choose = function(self, routes)
			return prefer(routes, function(route) return not self.unreachable[route.node] end)
		end,
	},
	{
		clause = router.SOURCE,
		text = "a router that advertised the prefix of the source address",
		choose = function(self, routes, source)
			return prefer(routes, function(route)
				for text in pairs(self.advertised[route.node]) do
					if in_prefix(source, text) then
						return true
					end
				end
				return false
			end)
		end,
	},
	{
		clause = router.PREFERENCE,
		text = "the route with the longest prefix, and of these the best preference",
		choose = function(_, routes)
			return best(best(routes, prefix_length), function(route) return RANK[route.preference] end)
		end,
	},
}

local function nodes_of(routes)
	local nodes, seen = {}, {}
	for _, route in ipairs(routes) do
		if not seen[route.node] then
			seen[route.node] = true
			table.insert(nodes, route.node)
		end
	end
	return nodes
end

local function contains(nodes, node)
	return find(nodes, function(other) return other == node end) ~= nil
end

-- The routes to an off-link destination, and how sure they are: those that may be there, and those that must.
local function routes_to(self, destination)
	local function known(may_be_over)
		return filter(self.routes, function(route)
			local there = is_there(self, route)
			return in_prefix(destination, route.prefix) and (there or there == nil and may_be_over)
		end)
	end
	return known(true), known(false)
end

-- Which nodes may be the first hop to an off-link destination from that source address: a list of steps, each
-- with a clause and the nodes that are left. The first has every router on the list; it is empty if there is no
-- first hop. Two routers that are equal by every rule are both right (RFC 4311 has hosts use them all).
function list:first_hops(destination, source)
	local possible, certain = routes_to(self, destination)
	if #possible > 0 and #certain == 0 then
		error("it is not certain that there is a first hop: wait until the lifetime is over for certain", 2)
	end
	local steps = { { clause = router.DISCOVERY, text = "a router on the Default Router List",
		nodes = nodes_of(possible) } }
	for _, rule in ipairs(RULES) do
		local before = #nodes_of(possible)
		possible, certain = rule.choose(self, possible, source), rule.choose(self, certain, source)
		-- Without those that may be over another one may be the best.
		local both = filter(self.routes, function(route)
			local function is_same(other) return other == route end
			return find(possible, is_same) or find(certain, is_same)
		end)
		if #nodes_of(both) < before then
			table.insert(steps, { clause = rule.clause, text = rule.text, nodes = nodes_of(both) })
		end
		possible = both
	end
	return steps
end

-- The routers that were on the Default Router List and are not any more, and that no other route leads to.
local function gone(self, nodes)
	return filter(self.routers, function(node)
		local _, over = self:expiry(node)
		return (self.removed[node] or over and over <= self.t:now()) and not contains(nodes, node)
	end)
end

-- From when to when (as t:now()) a Router Lifetime may end, or a Valid Lifetime, and the NUT take its entry off
-- the list: of a router, or of a prefix ("2001:db8:0:b::/64"). Nothing if there is no such entry (any more).
function list:expiry(what)
	local entry
	if type(what) == "string" then
		entry = find(self.prefixes, function(known) return known.prefix == what end)
	else
		entry = find(self.routes, function(route) return route.node == what and route.prefix == DEFAULT_ROUTE end)
	end
	if entry then
		return entry.heard + timing.earliest(entry.lifetime), entry.heard + timing.latest(entry.lifetime)
	end
end

-- Let time pass until there is one second left in which the entry must still be there.
function list:wait_until_last_second(what)
	local earliest = self:expiry(what)
	timing.wait_until(self.t, earliest - 1)
end

-- Let time pass until the entry of a router, or of a prefix, is gone for certain.
function list:wait_until_expired(what)
	local _, latest = self:expiry(what)
	if latest then
		timing.wait_until(self.t, latest)
	end
end

-- The shortest and the longest ReachableTime that the NUT may have drawn, seconds (RFC 4861 section 6.3.2).
function list:reachable_time()
	return timing.earliest(timing.MIN_RANDOM_FACTOR * self.base_reachable_time),
		timing.latest(timing.MAX_RANDOM_FACTOR * self.base_reachable_time)
end

-- --- asking the NUT -----------------------------------------------------------------------------------------------

local function names(nodes)
	local words = {}
	for _, node in ipairs(nodes) do
		table.insert(words, node.name:upper())
	end
	return table.concat(words, " or ")
end

-- An Echo Request from off link. It comes through TR1, whom the NUT need not know for that.
local function ask_from_off_link(self, options)
	self.number = self.number + 1
	local node = options.node or self.t.tn2
	local source, to = options.source or node.global, options.to or self:address()
	node:send(ip6{ src = source, dst = to } / echo.request(self.number))
	return self.number, source, to
end

-- The reply to an Echo Request of TN2 must leave through the router that the model says: `expected`, if it is
-- given, is that router by name, for the reader. In `options`: node (TN3 in the place of TN2), source (an
-- address in the place of that node's), to (another address of the NUT), clause, level and why.
-- Returns the node that was the first hop, and the reply.
function list:expect_first_hop(expected, options)
	options = options or {}
	local t = self.t
	local number, destination, source = ask_from_off_link(self, options)
	local steps = self:first_hops(destination, source)
	local right = steps[#steps].nodes
	if expected and (#right ~= 1 or right[1] ~= expected) then
		error(string.format("the test says that the first hop must be %s, RFC 4861 says: %s", expected.name:upper(),
			#right > 0 and names(right) or "none"), 2)
	end
	local why = options.why or string.format("the first hop to %s is %s", destination, names(right))
	local reply = t:expect(echo.reply(number, 8, { src = source, dst = destination }),
		{ from = t.nut, within = echo.WINDOW, clause = options.clause or router.DISCOVERY, level = options.level,
			why = why })
	if not reply then
		return
	end
	local hop = find({ t.tr1, t.tr2, t.tr3, t.tn1 }, function(node) return node.mac == reply.ether.dst end)
	local seen = hop and hop.name:upper() or reply.ether.dst
	if #gone(self, steps[1].nodes) > 0 then
		t:check(not contains(gone(self, steps[1].nodes), hop), string.format(
			"the reply goes to %s, which is not on the Default Router List any more: %s", seen, why),
			{ clause = options.clause or router.REMOVED, level = options.level })
	end
	for _, step in ipairs(steps) do
		t:check(contains(step.nodes, hop), string.format("the reply goes to %s, it should go to %s (%s): %s", seen,
			names(step.nodes), step.text, why), { clause = options.clause or step.clause, level = options.level })
	end
	if #right > 1 then
		t:note(string.format("%s are equally good first hops, the NUT uses %s", names(right), seen))
	end
	return hop, reply
end

-- There is no first hop: the reply to TN2 is not sent, and nobody is looked for on the link. Routers that were
-- used before may still be probed, by unicast. `options` are those of expect_first_hop.
function list:expect_no_first_hop(options)
	options = options or {}
	local t = self.t
	local number, destination, source = ask_from_off_link(self, options)
	if #self:first_hops(destination, source)[1].nodes > 0 then
		error("the test says that there is no first hop, RFC 4861 says that there is one", 2)
	end
	local clause = options.clause or router.REMOVED
	t:expect_none(echo.any_reply(number), { during = echo.SILENCE, clause = clause,
		why = options.why or string.format("no router is left that could be the first hop to %s", destination) })
	for _, node in ipairs(self.routers) do
		t:expect_none(ip6{ dst = solicited_node(node.link_local) } / ns{ target = node.link_local },
			{ during = 0, clause = clause, why = node.name:upper() .. " is no router for the NUT, so it is not looked for" })
	end
	t:expect_none(ns{ target = destination }, { during = 0, clause = router.NO_ROUTER,
		why = "an off-link address must not be resolved on the link, even when there is no router" })
end

-- Packets to `address` go to the node that has it. `node` sends an Echo Request from that address; the NUT must
-- resolve it, which `node` answers, and reply to `node`. Returns the reply.
function list:expect_on_link(address, node, options)
	options = options or {}
	assert(self:is_on_link(address), "the test says that the address is on link, RFC 4861 says that it is not")
	local t, to = self.t, options.to or self:address()
	local clause = options.clause or router.DISCOVERY
	self.number = self.number + 1
	node:send(ip6{ src = address, dst = to } / echo.request(self.number))
	if address ~= node.global then
		t:expect(ip6{ dst = solicited_node(address), hop_limit = 255 } / ns{ target = address },
			{ from = t.nut, within = 1, clause = clause, level = options.level,
				why = options.why or address .. " is on link: the NUT must solicit it there" })
		node:send(ip6{ src = address, dst = to } / na{ target = address, solicited = 1, override = 1,
			nd_tlla{ mac = node.mac } })
	end
	return t:expect(echo.reply(self.number, 8, { src = to, dst = address }),
		{ to = node, within = echo.WINDOW, clause = clause, level = options.level,
			why = options.why or address .. " is on link: packets go to the node itself" })
end

-- `address` is off link as far as the NUT was told: what is sent to it goes to the first hop, and the address is
-- not looked for on the link. The Echo Request comes from `node`, of the NUT's link.
function list:expect_off_link(address, node, options)
	options = options or {}
	assert(self:is_on_link(address) == false, "the test says that the address is off link, RFC 4861 does not")
	local hop, reply = self:expect_first_hop(nil, { node = node, source = address, to = options.to,
		clause = options.clause or router.OFF_LINK, level = options.level,
		why = options.why or address .. " is off link" })
	self.t:expect_none(ns{ target = address }, { during = 0, clause = options.clause or router.OFF_LINK,
		level = options.level, why = options.why or address .. " is off link: it must not be solicited" })
	return hop, reply
end

-- What the NUT sends of itself has the Hop Limit that was advertised last; `fallback` is expected if nobody
-- advertised any. `node` asks.
function list:expect_cur_hop_limit(node, fallback)
	local t = self.t
	self.number = self.number + 1
	local reply = echo.control(t, node, self.number)
	local expected = self.cur_hop_limit or fallback
	t:check(reply.ip6.hop_limit == expected,
		string.format("the reply has Hop Limit %d, CurHopLimit is %d", reply.ip6.hop_limit, expected),
		{ clause = router.VARIABLES })
	return reply.ip6.hop_limit
end

return router
