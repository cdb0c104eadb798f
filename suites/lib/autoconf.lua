-- The addresses that a host forms from advertised prefixes, and how long it has them: RFC 4862 sections 5.5.3
-- and 5.5.4.
--
-- `autoconf.addresses(t)` is what the NUT must have by now. `addresses:advertise(t.tr1, option, ...)` sends a
-- Router Advertisement with these Prefix Information options and does with each of them what the RFC says; the
-- `expect_` steps ask the NUT. An address is named by its prefix ("2001:db8:0:b::"), of which there is one each.
--
-- An address is tentative while it is tried, then preferred until its preferred lifetime is over, then deprecated
-- until its valid lifetime is over, then invalid. When a lifetime is over is certain to within timing.earliest
-- and timing.latest; a test that asks in between is wrong, and the library says so.
local dad = use "dad"
local echo = use "echo"
local router = use "router"
local timing = use "timing"

local autoconf = {}

-- What section 5.5.3 says of an option has no key word of its own, but doing it must be the default.
autoconf.PROCESSING = "RFC 4862 5.5 MUST"
-- A prefix that does not make 128 bits with the interface identifier.
autoconf.LENGTH = "RFC 4862 5.5.3 MUST"
autoconf.DEPRECATED = "RFC 4862 5.5.4 MUST"
autoconf.INVALID = "RFC 4862 5.5.4 MUST NOT"
autoconf.NEW_COMMUNICATION = "RFC 4862 5.5.4 SHOULD NOT"

-- No advertisement shortens a valid lifetime to less than this (RFC 4862 5.5.3 e).
autoconf.TWO_HOURS = 7200

-- Before something ends it is asked for so many seconds early, so that the answer is not late.
local LAST_MOMENT = 0.5

-- Methods of autoconf.addresses(t).
local list = {}

-- What the NUT must have: no address but the link-local one, as in the snapshot.
function autoconf.addresses(t)
	local addresses = {
		t = t,
		entries = {}, -- [prefix]: { trial, valid, preferred }, the lifetimes as { from, seconds }
		number = 0x3000, -- of the last Echo Request
	}
	for name, method in pairs(list) do
		addresses[name] = method
	end
	return addresses
end

-- --- what the NUT hears ---------------------------------------------------------------------------------------

local function lifetime(now, seconds)
	return { from = now, seconds = seconds == router.INFINITY and math.huge or seconds }
end

-- Section 5.5.3 e, the rules 1 to 3, with an advertisement that nobody has signed.
local function update_valid(entry, now, seconds)
	local remaining = entry.valid.from + entry.valid.seconds - now
	if seconds > autoconf.TWO_HOURS or seconds > remaining then
		entry.valid = lifetime(now, seconds)
	elseif remaining > autoconf.TWO_HOURS then
		entry.valid = lifetime(now, autoconf.TWO_HOURS)
	end
end

-- Section 5.5.3, of one option.
local function hear_prefix(self, option, now)
	local valid, preferred = option.valid_lifetime, option.preferred_lifetime
	if option.autonomous == 0 or in_prefix(option.prefix, "fe80::/10") or preferred > valid then
		return
	end
	local entry = self.entries[option.prefix]
	if entry and self:state(option.prefix) ~= "invalid" then
		entry.preferred = lifetime(now, preferred)
		update_valid(entry, now, valid)
	elseif valid > 0 and option.prefix_length == 64 then
		self.entries[option.prefix] = { valid = lifetime(now, valid), preferred = lifetime(now, preferred) }
	end
end

-- `node` sends a Router Advertisement with these options. Returns it.
function list:advertise(node, ...)
	local fields = { prefix = false, ... }
	local sent = node:send(ip6{ src = node.link_local, dst = "ff02::1" } / router.advertisement(fields))
	for _, option in ipairs(sent.ra.options) do
		if option.name == "nd_prefix" then
			hear_prefix(self, option, self.t:now())
		end
	end
	return sent
end

-- --- what it must have by now ---------------------------------------------------------------------------------

-- Whether the lifetime is still running: true, false, or nil while it may be over or not.
local function is_running(self, life)
	local age = self.t:now() - life.from
	if age < timing.earliest(life.seconds) then
		return true
	elseif age >= timing.latest(life.seconds) then
		return false
	end
end

-- "none", "tentative", "preferred", "deprecated" or "invalid"; "changing" while it may be two of them. An address
-- that the NUT has not been seen to try yet is tentative, too.
function list:state(prefix_text)
	local entry = self.entries[prefix_text]
	if not entry then
		return "none"
	end
	local valid, preferred = is_running(self, entry.valid), is_running(self, entry.preferred)
	if valid == false then
		return "invalid"
	elseif not entry.trial or self.t:now() < dad.over(entry.trial) then
		return "tentative"
	elseif valid == nil or preferred == nil then
		return "changing"
	end
	return preferred and "preferred" or "deprecated"
end

-- The NUT's address of that prefix, which it was seen to try.
function list:address(prefix_text)
	return self.entries[prefix_text].trial.address
end

-- Let time pass until the last moment at which the lifetime ("valid" or "preferred") is certainly not over.
function list:wait_until_last_moment(prefix_text, kind)
	local life = self.entries[prefix_text][kind]
	timing.wait_until(self.t, life.from + timing.earliest(life.seconds) - LAST_MOMENT)
end

-- Let time pass until the lifetime is certainly over.
function list:wait_until_over(prefix_text, kind)
	local life = self.entries[prefix_text][kind]
	timing.wait_until(self.t, life.from + timing.latest(life.seconds))
end

-- --- asking the NUT -------------------------------------------------------------------------------------------

-- The test must say what the model says, and must not ask while that is not certain.
local function check_state(self, prefix_text, expected)
	local state = self:state(prefix_text)
	for _, word in ipairs(expected) do
		if state == word then
			return state
		end
	end
	error(string.format("the test takes the address of %s for %s, RFC 4862 says: %s", prefix_text,
		table.concat(expected, " or "), state), 3)
end

-- A node that has nothing to do may sleep, and no RFC says how late its timers may be then. Linux puts the end of
-- lifetimes off until it is awake for another reason (docs/findings.md). So something wakes it first, and it gets
-- this long to do what is due.
local AWAKE = 1

-- Wakes the NUT by a question for the address that it should not have any more. What it says to that is noted.
local function wake_by_question(self, address, clause)
	local t = self.t
	t.tr1:send(dad.question(t.tr1, address))
	local late = t:expect(na{ target = address }, { within = AWAKE, clause = clause, level = "MAY",
		why = "a node that sleeps may find out late that a lifetime is over" })
	if late then
		t:note(string.format("the NUT still answered for %s: nothing had made it look at its timers", address))
		t:wait(AWAKE)
	end
end

-- The NUT must form an address of each of these prefixes, and have it when duplicate address detection is over.
function list:expect_formed(...)
	for _, text in ipairs{ ... } do
		check_state(self, text, { "tentative" })
		self.entries[text].trial = dad.expect_tried(self.t, prefix(text .. "/64"), dad.FORM,
			{ clause = autoconf.PROCESSING, why = string.format("the NUT must form an address of the prefix %s/64", text) })
	end
	for _, text in ipairs{ ... } do
		timing.wait_until(self.t, dad.over(self.entries[text].trial))
		self:expect_valid(text, "the NUT must take the address that it tried")
	end
end

-- No address of any prefix is formed, and none that would have the NUT's own identifier is there untried.
-- `reason` says what is wrong with the option. The NUT is there: it answers.
function list:expect_none_formed(prefix_text, clause, reason)
	local t = self.t
	local why = "no address must be formed: " .. reason
	check_state(self, prefix_text, { "none" })
	t:expect_none(dad.solicitation(any()), { from = t.nut, during = dad.FORM, clause = clause, why = why })
	if t.nut.link_local == eui64("fe80::", t.nut.mac) and not in_prefix(prefix_text, "fe80::/10") then
		local address = eui64(prefix_text, t.nut.mac)
		t.tr1:send(dad.question(t.tr1, address))
		t:expect_none(na{ target = address }, { during = echo.SILENCE, clause = clause, why = why })
	end
	self.number = self.number + 1
	echo.control(t, t.tr1, self.number)
end

-- TR1 asks for the address and sends an Echo Request to it: the NUT has it, preferred or deprecated.
function list:expect_valid(prefix_text, why, clause)
	local t = self.t
	local state = check_state(self, prefix_text, { "preferred", "deprecated" })
	local address = self:address(prefix_text)
	clause = clause or state == "deprecated" and autoconf.DEPRECATED or dad.ANSWER
	why = why or string.format("%s is %s, so it must be an address of the NUT", address, state)
	self.number = self.number + 1
	t.tr1:send(dad.question(t.tr1, address))
	t.tr1:send(ip6{ src = t.tr1.link_local, dst = address } / echo.request(self.number))
	dad.expect_answer(t, t.tr1, address, nd_tlla{ mac = t.nut.mac }, clause, why)
	t:expect(echo.reply(self.number, 8, { src = address, dst = t.tr1.link_local }),
		{ to = t.tr1, within = echo.WINDOW, clause = clause, why = why })
end

-- TR1 asks for the address and sends an Echo Request to it: the NUT does not have it any more. It is there: it
-- answers from its link-local address.
function list:expect_invalid(prefix_text, why, clause)
	local t = self.t
	check_state(self, prefix_text, { "invalid" })
	local address = self:address(prefix_text)
	clause = clause or autoconf.INVALID
	why = why or string.format("%s must not be an address of the NUT, its valid lifetime is over", address)
	wake_by_question(self, address, clause)
	self.number = self.number + 1
	t.tr1:send(dad.question(t.tr1, address))
	t.tr1:send(ip6{ src = t.tr1.link_local, dst = address } / echo.request(self.number))
	t:expect_none(na{ target = address }, { during = echo.SILENCE, clause = clause, why = why })
	t:expect_none(ip6{ src = address }, { during = 0, clause = clause, why = why })
	self.number = self.number + 1
	echo.control(t, t.tr1, self.number)
end

-- The NUT begins a new communication, with TN2, who is off link: it must come from its address of that prefix,
-- which is the only preferred one.
function list:expect_source(prefix_text, why)
	local t = self.t
	check_state(self, prefix_text, { "preferred" })
	self.number = self.number + 1
	echo.control(t, t.tr1, self.number)
	t:wait(AWAKE)
	t:command{ "ping", "-6", "-c", "1", "-W", "1", "-I", "eth0", t.tn2.global, may_fail = true }
	local request = t:expect(ip6{ dst = t.tn2.global } / echo_request{}, { from = t.nut, within = 1,
		clause = autoconf.NEW_COMMUNICATION, why = "the NUT was told to send an Echo Request to " .. t.tn2.global })
	if not request then
		return
	end
	t:check(request.ip6.src == self:address(prefix_text),
		string.format("the Echo Request comes from %s: %s", request.ip6.src, why),
		{ clause = autoconf.NEW_COMMUNICATION })
end

return autoconf
