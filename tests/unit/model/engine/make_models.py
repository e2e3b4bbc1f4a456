"""Writes the model files that the engine tests read: make_models.py FOLDER. Exits with 77 when torch is missing."""
import base64
import json
import os
import sys

try:
    import torch
    from torch import nn
except ImportError:
    sys.exit(77)

folder = sys.argv[1]
torch.manual_seed(1)
torch.set_num_threads(1)


class Net(nn.Module):
    """The tutorial's."""

    def __init__(self, classes=10):
        super().__init__()
        self.conv1 = nn.Conv2d(1, 32, 3)
        self.conv2 = nn.Conv2d(32, 64, 3)
        self.fc1 = nn.Linear(1600, 128)
        self.fc2 = nn.Linear(128, classes)

    def forward(self, x):
        x = torch.max_pool2d(torch.relu(self.conv1(x)), 2)
        x = torch.max_pool2d(torch.relu(self.conv2(x)), 2)
        return self.fc2(torch.relu(self.fc1(torch.flatten(x, 1))))


class Linear3(nn.Module):
    """Another network: three classes, probabilities."""

    def __init__(self):
        super().__init__()
        self.layer = nn.Linear(784, 3)

    def forward(self, x):
        return torch.softmax(self.layer(torch.flatten(x, 1)), 1)


class Mutating(Linear3):
    """Cannot be frozen: forward() writes an attribute."""

    def __init__(self):
        super().__init__()
        self.calls = 0

    def forward(self, x):
        self.calls += 1
        return torch.softmax(self.layer(torch.flatten(x, 1)), 1)


class Constants(Linear3):
    """Frozen, it keeps tensors of several types in constants.pkl."""

    def __init__(self):
        super().__init__()
        self.order = torch.tensor([2, 0, 1])
        self.scale = torch.tensor([1.0, 2.0, 3.0], dtype=torch.float64)
        self.mask = torch.tensor([True, False, True])

    def forward(self, x):
        y = self.layer(torch.flatten(x, 1))[:, self.order] * self.scale + self.mask
        return torch.softmax(y.float(), 1)


class Tuple(Linear3):
    def forward(self, x):
        y = self.layer(torch.flatten(x, 1))
        return y, y


class Squeezing(Linear3):
    def forward(self, x):
        return self.layer(torch.flatten(x, 1)).squeeze()


class ClassesOnly(Linear3):
    def forward(self, x):
        return self.layer(torch.flatten(x, 1)).argmax(1, keepdim=True)


class ColourPictures(Linear3):
    def forward(self, x):
        return self.layer(torch.flatten(x.expand(-1, 3, 28, 28), 1))


class AtMostTwo(Linear3):
    def forward(self, x):
        if x.size(0) > 2:
            raise RuntimeError("no more than two, please")
        return self.layer(torch.flatten(x, 1))


class ChangesItsMind(Linear3):
    """Three classes for up to two images, four beyond."""

    def forward(self, x):
        y = self.layer(torch.flatten(x, 1))
        if x.size(0) > 2:
            y = torch.cat([y, y[:, :1]], 1)
        return y


def path(name):
    return os.path.join(folder, name)


def save_script(name, module, spec=None):
    extra = {"model.json": json.dumps(spec)} if spec is not None else {}
    torch.jit.save(torch.jit.script(module.eval()), path(name), _extra_files=extra)


def base64_of(values):
    return base64.b64encode(values).decode()


net = Net().eval()
images = torch.randint(0, 256, (16, 1, 28, 28), dtype=torch.uint8)
images *= torch.rand(16, 1, 28, 28) < 0.3
with torch.no_grad():
    logits = net(images.float() / 255)
pixels_bytes, logits_bytes = images.numpy().tobytes(), logits.numpy().tobytes()

open(path("images.bin"), "wb").write(pixels_bytes)
open(path("logits.bin"), "wb").write(logits_bytes)

labels = ["zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine"]
ours = {"format": "digit-model/1", "architecture": "digit-cnn", "labels": labels,
        "reference": {"pixels": base64_of(pixels_bytes), "logits": base64_of(logits_bytes)}}
other_weights = {**ours, "reference": {**ours["reference"], "logits": base64_of((logits + 1).numpy().tobytes())}}

torch.save(net.state_dict(), path("state_dict.pt"))
torch.save(Net(classes=26).state_dict(), path("letters.pt"))
torch.save(Linear3().state_dict(), path("other_state_dict.pt"))
torch.save({**net.state_dict(), "fc2.weight": torch.zeros(10, 64)}, path("other_shape.pt"))
torch.save(net, path("whole_module.pt"))
save_script("ours.pt", net, ours)
save_script("other_weights.pt", net, other_weights)
save_script("nine_labels.pt", net, {"format": "digit-model/1", "architecture": "digit-cnn", "labels": labels[:9]})
save_script("lying.pt", Linear3(), ours)
save_script("no_json.pt", net)
save_script("foreign.pt", Linear3())
save_script("foreign_named.pt", Linear3(), {"format": "digit-model/1", "labels": ["cat", "dog", "cow"]})
save_script("mutating.pt", Mutating())
torch.jit.save(torch.jit.freeze(torch.jit.script(Constants().eval())), path("constants.pt"))
save_script("tuple.pt", Tuple())
save_script("squeezing.pt", Squeezing())
save_script("classes_only.pt", ClassesOnly())
save_script("colour.pt", ColourPictures())
save_script("at_most_two.pt", AtMostTwo())
save_script("changes_its_mind.pt", ChangesItsMind())
