"""Images a second of the network in Python, eager and with torch.compile, as gpu_benchmark counts them: bytes on the
host in, scores on the host out, one batch at a time.

    measure_compile.py MODEL.pt [SECONDS]
"""
import sys
import time

import torch
import torch.nn.functional as F


class Net(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.conv1 = torch.nn.Conv2d(1, 32, 3)
        self.conv2 = torch.nn.Conv2d(32, 64, 3)
        self.fc1 = torch.nn.Linear(1600, 128)
        self.fc2 = torch.nn.Linear(128, 10)

    def forward(self, pixels):
        x = pixels.float() / 255
        x = F.max_pool2d(F.relu(self.conv1(x)), 2)
        x = F.max_pool2d(F.relu(self.conv2(x)), 2)
        return self.fc2(F.relu(self.fc1(x.flatten(1))))


def rate(network, pixels, batch, seconds):
    count, start = 0, time.perf_counter()
    while time.perf_counter() - start < seconds:
        at = count * 997 % (len(pixels) - batch + 1)
        network(pixels[at:at + batch].cuda()).cpu()
        count += 1
    return count * batch / (time.perf_counter() - start)


def main():
    seconds = float(sys.argv[2]) if len(sys.argv) > 2 else 0.3
    net = Net()
    net.load_state_dict(torch.jit.load(sys.argv[1]).state_dict())
    net = net.cuda().eval()
    torch.manual_seed(1)
    pixels = torch.randint(0, 256, (8192, 1, 28, 28), dtype=torch.uint8)
    print(f"torch {torch.__version__}, {torch.cuda.get_device_name()}")
    print("| batch | Python, eager fp32 (no TF32 in products) | torch.compile |\n|---|---|---|")
    with torch.inference_mode():
        for batch in (1, 64, 256, 1024):
            torch._dynamo.reset()
            rates = []
            for network in (net, torch.compile(net, mode="reduce-overhead", dynamic=False)):
                for _ in range(5):
                    network(pixels[:batch].cuda()).cpu()
                rates.append(rate(network, pixels, batch, seconds))
            print(f"| {batch} | " + " | ".join(f"{r:.0f}" for r in rates) + " |", flush=True)


if __name__ == "__main__":
    main()
