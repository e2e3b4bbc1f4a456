// What a training run did, as one HTML file that needs nothing else: no script, no network, light and dark.
#pragma once

#include <string>
#include <vector>

#include "model/dataset/idx.h"
#include "model/spec/model_spec.h"
#include "model/training/evaluation.h"
#include "model/training/trainer.h"

namespace digit {

struct ReportInputs {
  const ModelSpec& spec;
  const std::vector<EpochRecord>& history;
  const Evaluation& evaluation;  // of the finished model on `images`
  const LabeledImages& images;   // the pictures of its mistakes are taken from here
};

// Learning curves, accuracy, confusion matrix, the worst mistakes as pictures, recipe. About 100 KB. Pure.
std::string FormatReport(const ReportInputs& inputs);

}  // namespace digit
