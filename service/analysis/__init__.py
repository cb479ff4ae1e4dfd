"""Work on networks that takes longer than a classification, in a process of its own.

job.py       what is asked, and the answer: plain values, so that they cross between processes
tasks.py     TASKS: dict[name, (workshop, job) -> answer], one module a noun beside it
workshop.py  the checkpoints that such a process holds
channel.py   jobs and answers on a pipe
process.py   the process: takes a job, answers it, takes the next
hands.py     who runs a job: a child process, or a thread of this one
pool.py      ``Analyses``: bounded, in time, for the routes
"""
