"""MLServer: a custom runtime of the Open Inference Protocol; files come as base64 in BYTES."""

import base64
import json

import network
from mlserver import MLModel
from mlserver.types import InferenceRequest, InferenceResponse, ResponseOutput


class Card(MLModel):
    async def load(self) -> bool:
        self.session = network.open_session()
        return True

    async def predict(self, payload: InferenceRequest) -> InferenceResponse:
        files = [base64.b64decode(each) for each in payload.inputs[0].data]
        found = network.classify(self.session, [network.read(each) for each in files])
        data = [json.dumps(each) for each in found]
        output = ResponseOutput(name="answers", shape=[len(data), 1], datatype="BYTES", data=data)
        return InferenceResponse(model_name=self.name, outputs=[output])
