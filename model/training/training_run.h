// One whole training run on disk: data in, epochs with checkpoints, model file and report out.
#pragma once

#include <atomic>
#include <string>

#include "absl/status/status.h"
#include "model/engine/inference_engine.h"
#include "model/training/recipe.h"

namespace digit {

struct TrainOptions {
  std::string out;  // the .pt file
  std::string dataset = "mnist";
  std::string data_dir;
  std::string corrections;  // a folder (ReadTrainingData); empty: none
  std::string init;         // a model file of the digit network to begin with; empty: random weights
  std::string like;         // a model file whose labels and framing the new one has; empty: `init`'s or the data set's
  int events_fd = -1;       // where training_events.h goes; -1: nowhere
  std::string checkpoint;   // written after every epoch, removed when the model is written
  bool resume = false;
  std::string report;  // an HTML file; empty: none
  int threads = 1;
  Device device;  // the CPU: our own kernels (trainer.h); a GPU: LibTorch (torch_trainer.h)
  Recipe recipe;
};

// Blocks for the whole training; words go to stderr. That the device is there and that the files can be written is
// tried before anything else. When `*stop` becomes true the steps under way are finished, a checkpoint written, and the
// answer is CANCELLED. Otherwise errors of reading data and writing files, of torch_trainer.h, or FAILED_PRECONDITION
// when a checkpoint is in the way or belongs to another run; on which device that run was does not matter.
absl::Status RunTraining(TrainOptions options, const std::atomic<bool>* stop);

}  // namespace digit
