-- That nothing answers a packet.
local echo = use "echo"

local silence = {}

-- No ICMPv6 error for so many seconds. What came earlier in the exchange counts, too, if nothing
-- was expected of it.
function silence.no_error(t, seconds, clause, why)
	t:wait(seconds)
	for _, message in ipairs{ dest_unreachable, packet_too_big, time_exceeded, param_problem } do
		t:expect_none(message{}, { during = 0, clause = clause, why = why })
	end
end

-- Neither an Echo Reply with that number nor an ICMPv6 error, for echo.SILENCE or `seconds`. What
-- the NUT has to say for itself meanwhile (neighbour and router discovery, multicast listener
-- reports) is no answer.
function silence.expect(t, number, clause, why, seconds)
	t:expect_none(echo.any_reply(number), { during = seconds or echo.SILENCE, clause = clause, why = why })
	silence.no_error(t, 0, clause, why) -- the time is over: this looks at what came in it
end

-- No Echo Reply with that number. For a packet that an error has answered already: a node that
-- did both would have sent the reply at once.
function silence.no_reply(t, number, clause)
	t:expect_none(echo.any_reply(number),
		{ during = 1, clause = clause, why = "a packet that was reported must not be processed too" })
end

return silence
