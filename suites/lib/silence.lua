-- That nothing answers a packet.
local echo = use "echo"

local silence = {}

-- Neither an Echo Reply with that number nor an ICMPv6 error. What the NUT has to say for itself
-- meanwhile (neighbour and router discovery, multicast listener reports) is no answer.
function silence.expect(t, number, clause, why)
	local options = { during = echo.SILENCE, clause = clause, why = why }
	t:expect_none(echo.any_reply(number), options)
	options.during = 0 -- the time is over: these look at what came in it
	for _, message in ipairs{ dest_unreachable, packet_too_big, time_exceeded, param_problem } do
		t:expect_none(message{}, options)
	end
end

-- No Echo Reply with that number. For a packet that an error has answered already: a node that
-- did both would have sent the reply at once.
function silence.no_reply(t, number, clause)
	t:expect_none(echo.any_reply(number),
		{ during = 1, clause = clause, why = "a packet that was reported must not be processed too" })
end

return silence
