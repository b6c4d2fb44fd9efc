"""How a task is executed: the contract (`controller`), the steps (`step`), the container as data (`container`), its adapter.

`step` decides and never waits; a controller acts and never decides; `hivelet.agent.runner` brings the two together.
"""
