#include "model/training/training_run.h"

#include <stdlib.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <filesystem>
#include <functional>
#include <memory>
#include <optional>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "base/clock.h"
#include "base/file.h"
#include "base/status.h"
#include "model/dataset/digit_generator.h"
#include "model/engine/model.h"
#include "model/training/calibration.h"
#include "model/training/checkpoint.h"
#include "model/training/evaluation.h"
#include "model/training/event_writer.h"
#include "model/training/network_file.h"
#include "model/training/progress.h"
#include "model/training/report.h"
#include "model/training/torch_trainer.h"
#include "model/training/trained_model.h"
#include "model/training/training_data.h"

namespace digit {
namespace {

// The labels and the framing of any model; it need not be the digit network.
absl::StatusOr<ModelSpec> ReadSpec(const std::string& path) {
  ASSIGN_OR_RETURN(const Model model, LoadModel(path));
  if (!model.spec.labels.empty()) return model.spec;
  return DefaultSpec(kDigitCnnClasses);
}

// Finds out before hours of training, by making a file and removing it, that `path` could not be written afterwards.
absl::Status CheckWritable(absl::string_view flag, const std::string& path) {
  const auto refuse = [&](absl::string_view why) {
    return absl::FailedPreconditionError(absl::StrCat(flag, ": cannot write '", path, "': ", why));
  };
  std::error_code ignored;
  if (std::filesystem::is_directory(path, ignored)) return refuse("it is a folder");
  const absl::Status replaceable = CheckReplaceable(path);
  if (!replaceable.ok()) return absl::Status(replaceable.code(), absl::StrCat(flag, ": ", replaceable.message()));
  const std::string folder = std::filesystem::path(path).parent_path().string();
  std::string probe = absl::StrCat(folder.empty() ? "." : folder, "/.digit-train-XXXXXX");
  const int fd = ::mkstemp(probe.data());
  if (fd < 0) return refuse(ErrnoStatus(errno, "make a file in", folder.empty() ? "." : folder).message());
  ::close(fd);
  ::unlink(probe.c_str());
  return absl::OkStatus();
}

absl::Status CheckPaths(const TrainOptions& options) {
  const std::pair<absl::string_view, const std::string&> paths[] = {
      {"--out", options.out}, {"--checkpoint", options.checkpoint}, {"--report", options.report}};
  for (const auto& [flag, path] : paths) {
    if (path.empty()) continue;
    RETURN_IF_ERROR(CheckWritable(flag, path));
    for (const auto& [other_flag, other_path] : paths) {
      if (flag != other_flag && path == other_path) {
        return absl::FailedPreconditionError(
            absl::StrCat(flag, " and ", other_flag, " name the same file '", path, "'"));
      }
    }
  }
  return absl::OkStatus();
}

absl::StatusOr<TrainingState> StartOrResume(const TrainOptions& options, const RunIdentity& identity,
                                            const std::optional<NetworkFile>& begin_with) {
  absl::StatusOr<TrainingState> loaded = LoadCheckpoint(options.checkpoint, identity);
  if (absl::IsNotFound(loaded.status())) {
    if (options.resume) std::fprintf(stderr, "no checkpoint yet, starting from the beginning\n");
    TrainingState state = InitialState(options.recipe.seed);
    if (begin_with.has_value()) state.weight = state.average = FromNetwork(begin_with->weights);
    return state;
  }
  if (!options.resume) {
    return absl::FailedPreconditionError(absl::StrCat("'", options.checkpoint,
                                                      "' is left from a stopped run: go on with it by --resume, or "
                                                      "remove it"));
  }
  if (loaded.ok()) std::fprintf(stderr, "going on from step %lld\n", static_cast<long long>(loaded->step));
  return loaded;
}

// Runs epochs on the device that was asked for.
class Trainer {
 public:
  static absl::StatusOr<Trainer> Create(const TrainOptions& options, const LabeledImages& images) {
    Trainer trainer(options, images);
    if (options.device.kind == Device::Kind::kCpu) return trainer;
    ASSIGN_OR_RETURN(trainer.on_gpu_,
                     TorchTrainer::Create(options.device, options.recipe, images, trainer.non_digits_));
    return trainer;
  }

  absl::Status RunEpoch(const std::function<bool(int64_t)>& before_step, TrainingState* state) {
    if (on_gpu_ != nullptr) return on_gpu_->RunEpoch(before_step, state);
    digit::RunEpoch(options_.recipe, images_, non_digits_, options_.threads, before_step, state);
    return absl::OkStatus();
  }
  absl::StatusOr<std::vector<float>> Logits(absl::Span<const float> parameters, absl::Span<const uint8_t> pixels) {
    if (on_gpu_ != nullptr) return on_gpu_->ComputeLogits(parameters, pixels);
    return ComputeLogits(parameters, pixels, options_.threads);
  }

 private:
  Trainer(const TrainOptions& options, const LabeledImages& images) : options_(options), images_(images) {
    if (options.recipe.non_digits == 0) return;
    const int pool = std::min(kTrainingNonDigits, images.size());
    non_digits_ = DigitGenerator(kTrainingNonDigitSeed).DrawManyNonDigits(pool);
  }

  const TrainOptions& options_;
  const LabeledImages& images_;
  std::vector<uint8_t> non_digits_;
  std::unique_ptr<TorchTrainer> on_gpu_;
};

absl::Status FinishEpoch(const LabeledImages& validation, int64_t images, Trainer* trainer, TrainingState* state) {
  EpochRecord record;
  record.loss = state->loss_sum / static_cast<double>(images);
  record.train_accuracy = static_cast<double>(state->right) / static_cast<double>(images);
  record.seconds = state->seconds;
  ASSIGN_OR_RETURN(const std::vector<float> logits, trainer->Logits(state->average, validation.pixels));
  const Evaluation evaluation = Evaluate(logits, validation.labels, 1);
  record.validation_loss = evaluation.cross_entropy;
  record.validation_accuracy = evaluation.accuracy();
  state->history.push_back(record);
  state->loss_sum = 0;
  state->right = 0;
  state->seconds = 0;
  return absl::OkStatus();
}

// All epochs that are left.
absl::Status Train(const TrainOptions& options, const TrainingData& data, const RunIdentity& identity,
                   const std::atomic<bool>* stop, EventWriter* events, TrainingState* state) {
  const Recipe& recipe = options.recipe;
  const int64_t steps = StepsPerEpoch(recipe, data.train.train.size());
  const int64_t images = steps * (recipe.batch_images - recipe.non_digits);
  ASSIGN_OR_RETURN(Trainer trainer, Trainer::Create(options, data.train.train));
  events->Started(recipe.epochs, steps, data.train.train.size());
  Progress progress(stderr, ShowsProgressBar(STDERR_FILENO), recipe.epochs, steps);
  while (state->step < steps * recipe.epochs) {
    const double seconds_before = state->seconds;
    const SteadyTime start = SteadyClock()->Now();
    const auto seconds = [&] { return seconds_before + absl::ToDoubleSeconds(SteadyClock()->Now() - start); };
    RETURN_IF_ERROR(trainer.RunEpoch(
        [&](int64_t step) {
          progress.Step(step, seconds());
          events->Step(*state, recipe.batch_images - recipe.non_digits, seconds());
          return !stop->load();
        },
        state));
    state->seconds = seconds();
    const bool epoch_done =
        state->step % steps == 0 && state->step / steps > static_cast<int64_t>(state->history.size());
    if (epoch_done) {
      RETURN_IF_ERROR(FinishEpoch(data.train.validation, images, &trainer, state));
      progress.EpochDone(static_cast<int>(state->history.size()), state->history.back());
      events->EpochDone(static_cast<int>(state->history.size()), state->history.back());
    }
    RETURN_IF_ERROR(SaveCheckpoint(options.checkpoint, identity, *state));
    if (stop->load()) {
      return absl::CancelledError(absl::StrCat("stopped after step ", state->step, " of ", steps * recipe.epochs,
                                               "; go on with: --resume --checkpoint ", options.checkpoint));
    }
  }
  return absl::OkStatus();
}

absl::Status Finish(const TrainOptions& options, const DatasetInfo& dataset, const TrainingData& data,
                    const RunIdentity& identity, const TrainingState& state) {
  ModelInputs inputs;
  inputs.dataset = dataset;
  inputs.identity = identity;
  inputs.validation = &data.train.validation;
  inputs.test = data.test.has_value() ? &*data.test : nullptr;
  inputs.threads = options.threads;
  const ModelSpec spec = DescribeModel(state.average, inputs);
  ASSIGN_OR_RETURN(const std::string file, MakeModelFile(state.average, spec));
  RETURN_IF_ERROR(WriteFileAtomically(options.out, file));
  for (const Accuracy& accuracy : spec.accuracy) {
    std::fprintf(stderr, "%s: %.2f %% of %d right\n", accuracy.set.c_str(), 100 * accuracy.accuracy, accuracy.images);
  }
  ::unlink(options.checkpoint.c_str());
  std::fprintf(stderr, "wrote %s\n", options.out.c_str());
  if (!options.report.empty()) {
    const LabeledImages& shown = inputs.test != nullptr ? *inputs.test : *inputs.validation;
    const Evaluation evaluation =
        Evaluate(ComputeLogits(state.average, shown.pixels, options.threads), shown.labels, spec.temperature);
    const absl::Status written =
        WriteFileAtomically(options.report, FormatReport({spec, state.history, evaluation, shown}));
    if (!written.ok()) {
      return absl::Status(written.code(), absl::StrCat("the model is written, the report is not: ", written.message()));
    }
    std::fprintf(stderr, "report: %s\n", options.report.c_str());
  }
  return absl::OkStatus();
}

}  // namespace

absl::Status RunTraining(TrainOptions options, const std::atomic<bool>* stop) {
  RETURN_IF_ERROR(CheckTrainingDevice(options.device));
  std::optional<NetworkFile> begin_with;
  if (!options.init.empty()) {
    ASSIGN_OR_RETURN(begin_with, ReadNetworkFile(options.init));
  }
  DatasetInfo dataset = DatasetInfoOf(options.dataset);
  std::optional<ModelSpec> like;
  if (begin_with.has_value()) like = begin_with->spec;
  if (!options.like.empty()) {
    ASSIGN_OR_RETURN(like, ReadSpec(options.like));
  }
  if (like.has_value()) {
    dataset.labels = like->labels;
    dataset.framing = like->framing;
  }
  if (dataset.labels.size() != kDigitCnnClasses) {
    return absl::InvalidArgumentError(absl::StrCat("the model to be trained has ", dataset.labels.size(),
                                                   " labels, the digit network has ", kDigitCnnClasses));
  }
  if (dataset.framing != Framing::kMnist) options.recipe.non_digits = 0;  // what is no digit may well be one of these
  RETURN_IF_ERROR(Validate(options.recipe));
  RETURN_IF_ERROR(CheckPaths(options));
  ASSIGN_OR_RETURN(const TrainingData data, ReadTrainingData({.dataset = options.dataset,
                                                              .data_dir = options.data_dir,
                                                              .corrections = options.corrections,
                                                              .batch_images = options.recipe.batch_images}));
  RunIdentity identity = {Describe(options.recipe), options.recipe.seed, DigestOf(data.train.train)};
  if (begin_with.has_value()) {
    absl::StrAppend(&identity.recipe, ", beginning with the weights of ", begin_with->sha256.substr(0, 12));
  }
  ASSIGN_OR_RETURN(TrainingState state, StartOrResume(options, identity, begin_with));
  if (options.resume && state.step == 0 && std::filesystem::exists(options.out)) {
    return absl::FailedPreconditionError(absl::StrCat("nothing to resume: there is no checkpoint '", options.checkpoint,
                                                      "', and '", options.out,
                                                      "' is there already; to train anew, leave --resume away"));
  }
  const bool on_cpu = options.device.kind == Device::Kind::kCpu;
  std::fprintf(stderr, "training on %d pictures, validating on %d, %s, seed %lld\n", data.train.train.size(),
               data.train.validation.size(),
               on_cpu ? absl::StrCat(options.threads, " thread(s)").c_str() : options.device.ToString().c_str(),
               static_cast<long long>(options.recipe.seed));
  EventWriter events(options.events_fd);
  RETURN_IF_ERROR(Train(options, data, identity, stop, &events, &state));
  RETURN_IF_ERROR(Finish(options, dataset, data, identity, state));
  events.Done(data.train.validation.size(), state.history.back().validation_accuracy);
  return absl::OkStatus();
}

}  // namespace digit
