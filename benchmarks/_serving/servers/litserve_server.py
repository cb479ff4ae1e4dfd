"""LitServe: uploads as its image guide has them; waits 1 ms for a batch where it batches."""

import litserve
import network


class Card(litserve.LitAPI):
    def setup(self, device):
        self.session = network.open_session()

    def decode_request(self, request):
        return network.read(request["file"].file.read())

    def predict(self, x):
        if network.BATCH == 1:
            return network.classify(self.session, [x])[0]
        return network.classify(self.session, list(x))

    def batch(self, inputs):
        return inputs

    def unbatch(self, output):
        return output

    def encode_response(self, output):
        return {"predictions": output}


if __name__ == "__main__":
    batching = (
        {} if network.BATCH == 1 else {"max_batch_size": network.BATCH, "batch_timeout": 0.001}
    )
    server = litserve.LitServer(Card(**batching), accelerator="cpu", workers_per_device=1)
    server.run(host="127.0.0.1", port=network.PORT, num_api_servers=1, log_level="warning")
