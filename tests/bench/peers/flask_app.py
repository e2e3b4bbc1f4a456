"""The tutorial's way: Flask answers posts of PNG files with the network in eager PyTorch, one at a time.

    MODEL=model/pretrained/mnist.pt PYTHONPATH=tests/support gunicorn --workers 2 flask_app:app

Needs python3-flask, gunicorn, python3-pil and python3-torch. The weights come out of the TorchScript file.
"""
import io
import os

import flask
import PIL.Image
import torch

from tutorial_network import Net

torch.set_num_threads(1)  # a worker for each core
network = Net().eval()
network.load_state_dict(dict(torch.jit.load(os.environ["MODEL"]).named_parameters()))
app = flask.Flask(__name__)


@app.post("/recognize")
@torch.inference_mode()
def recognize():
    picture = PIL.Image.open(io.BytesIO(flask.request.get_data())).convert("L")
    pixels = torch.frombuffer(bytearray(picture.tobytes()), dtype=torch.uint8).view(1, 1, 28, 28)
    confidence, digit = torch.softmax(network(pixels / 255), 1).max(1)
    return flask.jsonify(digit=digit.item(), confidence=confidence.item())
