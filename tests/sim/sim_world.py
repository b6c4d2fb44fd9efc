"""All that happens to the simulated cluster without anybody asking."""

import hypothesis.strategies as st
from hypothesis.stateful import rule
from sim_machine import Machine

which = st.integers(0, 11)


class World(Machine):
    """Time, exits, health, nodes, and the end of the daemon at any write."""

    @rule(seconds=st.sampled_from([0.0, 0.01, 0.2, 1.0, 7.0, 40.0]))
    def time_passes(self, seconds):
        self.told(f"{seconds} s pass")
        self.play(self.wait(seconds))

    @rule(number=which, code=st.sampled_from([0, 1, 137]))
    def a_container_ends(self, number, code):
        task = self.pick(number, self.cluster.containers())
        if task is not None:
            self.told(f"the container of {task.name} ends with {code}")
            self.cluster.hosts[task.node_id].kill(task.id, code)

    @rule(number=which)
    def a_container_turns_unhealthy(self, number):
        task = self.pick(number, self.cluster.containers())
        if task is not None:
            self.told(f"the container of {task.name} turns unhealthy")
            self.cluster.hosts[task.node_id].turn_unhealthy(task.id)

    @rule(number=which)
    def a_worker_falls_silent(self, number):
        node = self.worker(number)
        if node.id in self.cluster.agents:
            self.told(f"node {node.description.hostname} falls silent")
            self.play(self.cluster.stop_agent(node.id))

    @rule(number=which, rebooted=st.booleans())
    def a_worker_returns(self, number, rebooted):
        node = self.pick(number, [n for n in self.cluster.nodes() if n.id in self.cluster.silent])
        if node is None:
            return
        self.told(f"node {node.description.hostname} returns" + " rebooted" * rebooted)
        if rebooted:
            self.cluster.hosts[node.id].reboot()
        self.play(self.cluster.boot_node(node.id))

    @rule(seconds=st.sampled_from([-7200.0, -1.0, 3.0, 7200.0]))
    def the_clock_is_put(self, seconds):
        self.told(f"the wall clock is put by {seconds} s")
        self.cluster.clock.put(seconds)

    @rule(pause=st.sampled_from([0.0, 0.05, 10.0]), rebooted=st.booleans())
    def the_daemon_is_killed(self, pause, rebooted):
        self.told("the daemon is killed" + ", the manager's host reboots" * rebooted)

        async def work():
            await self.cluster.crash()
            if rebooted:
                manager = next(n for n in self.cluster.nodes() if n.manager_status is not None)
                self.cluster.hosts[manager.id].reboot()
            await self.cluster.settle(pause)
            await self.cluster.recover()

        self.play(work())

    @rule(write=st.integers(1, 12), keep=st.booleans())
    def the_daemon_is_doomed(self, write, keep):
        """Whatever happens next, the daemon dies at that write of it."""
        self.told(f"the daemon will die at its {write}. write from now, which is safe: {keep}")
        self.cluster.crash_at(write, keep=keep)

    async def wait(self, seconds):
        """Time passes; where the daemon dies meanwhile, it is started again, as systemd would."""
        ends = self.cluster.clock.steady() + seconds
        while (left := ends - self.cluster.clock.steady()) > 0 or seconds == 0:
            await self.cluster.attempt(self.cluster.settle(max(left, 0)))
            if not self.cluster.crashed:
                return
            await self.come_back()

    def worker(self, number):
        return self.pick(number, [n for n in self.cluster.nodes() if n.manager_status is None])
