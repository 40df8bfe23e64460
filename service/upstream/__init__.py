"""The room in front of OpenAI: the only code that speaks to the upstream, and the sandbox that can be one."""
