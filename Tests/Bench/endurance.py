"""What stays and what grows: idle connections, an idle server, a long time."""
def idle(programs, options): raise NotImplementedError
idle_cpu = soak = idle
