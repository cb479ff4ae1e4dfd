"""FastAPI as its tutorial and most articles have it: an upload in, a pydantic model out."""

import network
import uvicorn
from fastapi import FastAPI, UploadFile
from pydantic import BaseModel

app = FastAPI()
session = network.open_session()


class Prediction(BaseModel):
    label: str
    confidence: float


@app.post("/predict")
async def predict(file: UploadFile) -> list[Prediction]:
    found = network.classify(session, [network.read(await file.read())])[0]
    return [Prediction(**each) for each in found]


if __name__ == "__main__":
    uvicorn.run(app, host="127.0.0.1", port=network.PORT, access_log=False, log_level="warning")
