#include "daemon/serving/corrections.h"

#include <algorithm>
#include <memory>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "base/retry_after.h"
#include "base/status.h"
#include "daemon/serving/feedback_metrics.h"

namespace digit {
namespace {

constexpr size_t kMaxVersion = 64, kMaxSource = 64;  // characters

absl::Status CheckLabel(absl::string_view field, const std::string& label, const LiveModel& model) {
  const std::vector<std::string>& labels = model.model->spec.labels;
  if (label == kNotADigitLabel || std::find(labels.begin(), labels.end(), label) != labels.end()) {
    return absl::OkStatus();
  }
  return absl::InvalidArgumentError(absl::StrCat(field, " '", absl::string_view(label).substr(0, kMaxSource),
                                                 "' is no label of model '", model.name, "'; it has ",
                                                 absl::StrJoin(labels, ", ")));
}

absl::Status CheckVersion(absl::string_view version) {
  const auto fits = [](char c) {
    return absl::ascii_isalnum(static_cast<unsigned char>(c)) || c == '.' || c == '_' || c == '-';
  };
  if (version.size() <= kMaxVersion && std::all_of(version.begin(), version.end(), fits)) return absl::OkStatus();
  return absl::InvalidArgumentError(
      absl::StrCat("version must be at most ", kMaxVersion, " letters, digits, '.', '_' and '-'"));
}

// `source` is UTF-8.
absl::Status CheckSource(absl::string_view source) {
  const auto starts_character = [](char c) { return (static_cast<unsigned char>(c) & 0xc0) != 0x80; };
  if (std::count_if(source.begin(), source.end(), starts_character) > static_cast<int64_t>(kMaxSource)) {
    return absl::InvalidArgumentError(absl::StrCat("source is longer than ", kMaxSource, " characters"));
  }
  for (size_t i = 0; i < source.size(); ++i) {
    const bool is_c1 = source[i] == '\xc2' && i + 1 < source.size() && static_cast<unsigned char>(source[i + 1]) < 0xa0;
    if (absl::ascii_iscntrl(static_cast<unsigned char>(source[i])) || is_c1) {
      return absl::InvalidArgumentError("source has control characters");
    }
  }
  return absl::OkStatus();
}

// Of raw pixels.
absl::Status CheckPixels(absl::string_view pixels) {
  if (pixels.size() != kImagePixels) {
    return absl::InvalidArgumentError(absl::StrCat("pixels has ", pixels.size(), " bytes, must be 784 (28x28)"));
  }
  if (pixels.find_first_not_of('\0') != absl::string_view::npos) return absl::OkStatus();
  return absl::InvalidArgumentError("no digit found: all pixels are 0 (paper)");
}

}  // namespace

// The picture of one correction on its way through the decode pool.
class Corrections::FrameTask : public DecodeTask {
 public:
  FrameTask(Corrections* owner, const CorrectionCall& call, Correction correction, Framing framing,
            Done<FeedbackStore::Added> done)
      : DecodeTask(call.deadline, call.task_class),
        owner_(owner),
        bytes_(call.image.bytes),
        correction_(std::move(correction)),
        framing_(framing),
        done_(std::move(done)) {}

  bool cancelled() const override { return false; }
  void Run() override {
    const FramedImage framed = FrameImage(bytes_, framing_, owner_->options_.image_limits);
    if (framed.problem != ImageProblem::kNone) return done_(absl::InvalidArgumentError(framed.message));
    correction_.pixels.assign(reinterpret_cast<const char*>(framed.pixels.data()), framed.pixels.size());
    owner_->Store(std::move(correction_), std::move(done_));
  }
  void Fail(const absl::Status& status) override { done_(status); }

 private:
  Corrections* const owner_;
  const absl::string_view bytes_;
  Correction correction_;
  const Framing framing_;
  Done<FeedbackStore::Added> done_;
};

Corrections::Corrections(Options options)
    : options_(std::move(options)), thread_("feedback", options_.clock, /*nice=*/3) {}

template <typename T>
void Corrections::Run(std::function<absl::StatusOr<T>()> job, Done<T> done) {
  if (waiting_.fetch_add(1, std::memory_order_relaxed) >= options_.max_waiting) {
    waiting_.fetch_sub(1, std::memory_order_relaxed);
    return done(
        WithRetryAfter(absl::ResourceExhaustedError(absl::StrCat(
                           options_.max_waiting, " calls wait for the store of corrections, which is the limit")),
                       absl::Seconds(1)));
  }
  thread_.Soon([this, job = std::move(job), done = std::move(done)] {
    absl::StatusOr<T> result = job();
    waiting_.fetch_sub(1, std::memory_order_relaxed);
    done(std::move(result));
  });
}

absl::StatusOr<Correction> Corrections::Check(const CorrectionCall& call, Framing* framing) const {
  RETURN_IF_ERROR(CheckVersion(call.version));
  RETURN_IF_ERROR(CheckSource(call.source));
  absl::StatusOr<ModelHandle> model = options_.registry->Find(call.model, call.version);
  const bool is_loaded = model.ok();
  if (!is_loaded) model = options_.registry->Find(call.model, "");
  RETURN_IF_ERROR(model.status());
  RETURN_IF_ERROR(CheckLabel("label", call.truth, **model));
  if (call.answered.has_value()) RETURN_IF_ERROR(CheckLabel("answered_label", *call.answered, **model));
  *framing = (*model)->model->spec.framing;
  return Correction{.model = (*model)->name,
                    .version = is_loaded && !call.version.empty() ? (*model)->version : call.version,
                    .answered = call.answered,
                    .truth = call.truth,
                    .source = call.source,
                    .created = options_.wall_time()};
}

void Corrections::Submit(CorrectionCall call, Done<FeedbackStore::Added> done) {
  if (options_.metrics != nullptr) done = options_.metrics->Counted(*options_.registry, call.model, std::move(done));
  Framing framing = Framing::kMnist;
  absl::StatusOr<Correction> correction = Check(call, &framing);
  if (!correction.ok()) return done(correction.status());
  if (call.image.kind == ImageInput::Kind::kMissing) {
    return done(absl::InvalidArgumentError("image has neither encoded bytes nor pixels"));
  }
  if (call.image.kind == ImageInput::Kind::kPixels) {
    const absl::Status usable = CheckPixels(call.image.bytes);
    if (!usable.ok()) return done(usable);
    correction->pixels = std::string(call.image.bytes);
    return Store(*std::move(correction), std::move(done));
  }
  std::unique_ptr<Task> task = std::make_unique<FrameTask>(this, call, *std::move(correction), framing, done);
  const absl::Status accepted = options_.decode_pool->Submit(absl::MakeSpan(&task, 1));
  if (!accepted.ok()) done(accepted);
}

void Corrections::Store(Correction correction, Done<FeedbackStore::Added> done) {
  Run<FeedbackStore::Added>(
      [store = options_.store, correction = std::move(correction)] { return store->Add(correction); }, std::move(done));
}

void Corrections::List(FeedbackStore::Query query, Done<std::vector<StoredCorrection>> done) {
  Run<std::vector<StoredCorrection>>([store = options_.store, query = std::move(query)] { return store->List(query); },
                                     std::move(done));
}

void Corrections::Review(std::vector<int64_t> ids, CorrectionState state, Done<std::vector<StoredCorrection>> done) {
  Run<std::vector<StoredCorrection>>(
      [store = options_.store, ids = std::move(ids), state] { return store->Review(ids, state); }, std::move(done));
}

void Corrections::Stats(const std::string& model, Done<ModelStats> done) {
  Run<ModelStats>([this, model] { return StatsNow(model); }, std::move(done));
}

absl::StatusOr<ModelStats> Corrections::AnswerStats(const std::string& model) const {
  ASSIGN_OR_RETURN(const ModelHandle live, options_.registry->Find(model, ""));
  ASSIGN_OR_RETURN(const ModelDescription described, options_.registry->Describe(live->name));
  ModelStats stats{.model = live->name, .labels = live->model->spec.labels};
  for (const VersionRecord& record : described.versions) {
    const ModelHandle model = record.model.lock();
    if (model == nullptr) continue;
    VersionStats version{.version = record.version, .answers = model->answers->Read()};
    if (version.answers->reference.has_value() && version.answers->latest.has_value()) {
      version.drift = PopulationStability(version.answers->reference->classes, version.answers->latest->classes);
    }
    stats.versions.push_back(std::move(version));
  }
  return stats;
}

absl::StatusOr<ModelStats> Corrections::StatsNow(const std::string& model) const {
  ASSIGN_OR_RETURN(ModelStats stats, AnswerStats(model));
  const auto counts = options_.store->CountAnswers(stats.model);
  stats.corrections = counts.status();
  if (counts.ok()) AddCorrections(*counts, &stats);
  return stats;
}

std::vector<ModelStats> Corrections::LatestStats() {
  std::shared_ptr<const Counts> counts;
  bool read = false;
  {
    MutexLock lock(&mu_);
    counts = counts_;
    read = !reading_ && options_.clock->Now() >= read_again_;
    if (read) reading_ = true;
  }
  if (read) thread_.Soon([this] { ReadCounts(); });
  std::vector<ModelStats> all;
  for (const std::string& model : options_.registry->Names()) {
    absl::StatusOr<ModelStats> stats = AnswerStats(model);
    if (!stats.ok()) continue;  // it has just been dropped
    const auto found = counts->find(model);
    if (found != counts->end()) {
      AddCorrections(found->second, &*stats);
    } else {
      stats->corrections = absl::UnavailableError("the store of corrections has not been read");
    }
    all.push_back(*std::move(stats));
  }
  return all;
}

void Corrections::ReadCounts() {
  auto counts = std::make_shared<Counts>();
  for (const std::string& model : options_.registry->Names()) {
    auto found = options_.store->CountAnswers(model);
    if (!found.ok()) break;  // each try at a locked store takes its time
    (*counts)[model] = *std::move(found);
  }
  MutexLock lock(&mu_);
  counts_ = std::move(counts);
  reading_ = false;
  read_again_ = options_.clock->Now() + kReadAgain;
}

}  // namespace digit
