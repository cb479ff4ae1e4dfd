"""Ray Serve: one replica, raw bodies, serve.batch with a wait of 1 ms where it batches."""

import time

import network
import ray
from ray import serve
from starlette.requests import Request


@serve.deployment(num_replicas=1, ray_actor_options={"num_cpus": 1}, max_ongoing_requests=256)
class Card:
    def __init__(self) -> None:
        self.session = network.open_session()

    @serve.batch(max_batch_size=network.BATCH, batch_wait_timeout_s=0.001)
    async def together(self, requests):
        return network.classify(self.session, requests)

    async def __call__(self, request: Request):
        x = network.read(await request.body())
        if network.BATCH == 1:
            return network.classify(self.session, [x])[0]
        return await self.together(x)


if __name__ == "__main__":
    ray.init(num_cpus=2, include_dashboard=False, log_to_driver=False, logging_level="error")
    serve.start(
        http_options={"host": "127.0.0.1", "port": network.PORT},
        logging_config={"enable_access_log": False},
    )
    serve.run(Card.bind())
    while True:
        time.sleep(3600)
