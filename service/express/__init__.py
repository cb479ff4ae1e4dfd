"""The short way of a plain classification: from the parsed request to the batcher and back, without
a task, a future, ASGI or a framework.

    desk.Desk             which requests it takes, and what they are answered
    ticket.Ticket         one of them, while it waits
    proxies.Proxies       who sent it, where proxies stand between
    head.Head             the headers of its answer, as the application's middleware writes them
    protocol.Protocol     uvicorn's own, which asks the desk first

Whatever the desk does not take, or cannot answer, goes to the application untouched; so every byte
of an answer is the same with and without it (tests/service/express hold them against each other).
"""
