"""mosec: raw bodies, dynamic batching as in its guide; waits 1 ms for a batch where it batches."""

import sys

import network
from mosec import Server, Worker


class Card(Worker):
    def __init__(self) -> None:
        self.session = network.open_session()

    def deserialize(self, data):
        return network.read(data)

    def forward(self, data):
        if network.BATCH == 1:
            return network.classify(self.session, [data])[0]
        return network.classify(self.session, data)


if __name__ == "__main__":
    sys.argv += ["--port", str(network.PORT), "--address", "127.0.0.1", "--timeout", "60000"]
    sys.argv += ["--log-level", "warning"]
    server = Server()
    if network.BATCH == 1:
        server.append_worker(Card)
    else:
        server.append_worker(Card, max_batch_size=network.BATCH, max_wait_time=1)
    server.run()
