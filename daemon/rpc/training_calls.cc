// The calls of digit.v1.DigitService about trainings.
#include <optional>
#include <utility>

#include "base/safe_text.h"
#include "daemon/rpc/calls.h"
#include "daemon/rpc/codec.h"
#include "daemon/rpc/digit_service.h"

namespace digit {
namespace {

constexpr size_t kMaxWords = 2000;  // bytes of an error or a verdict

absl::StatusOr<TrainingRequest> DecodeTrain(const v1::TrainRequest& request) {
  if (!v1::Promote_IsValid(request.promote())) {
    return absl::InvalidArgumentError(
        absl::StrCat("promote is ", static_cast<int>(request.promote()), ", which is no value of Promote"));
  }
  TrainingRequest decoded{.model = request.model(),
                          .fine_tune = request.fine_tune(),
                          .data_set = request.data_set(),
                          .corrections = request.corrections(),
                          .epochs = request.epochs(),
                          .seed = request.seed(),
                          .detached = request.detached()};
  if (request.promote() == v1::PROMOTE_NEVER) decoded.promote = Promote::kNever;
  if (request.promote() == v1::PROMOTE_ALWAYS) decoded.promote = Promote::kAlways;
  return decoded;
}

v1::Promote EncodePromote(Promote promote) {
  switch (promote) {
    case Promote::kNever:
      return v1::PROMOTE_NEVER;
    case Promote::kIfBetter:
      return v1::PROMOTE_IF_BETTER;
    case Promote::kAlways:
      return v1::PROMOTE_ALWAYS;
  }
  return v1::PROMOTE_UNSPECIFIED;
}

v1::TrainingState EncodeTrainingState(TrainingJobState state) {
  switch (state) {
    case TrainingJobState::kQueued:
      return v1::TRAINING_STATE_QUEUED;
    case TrainingJobState::kRunning:
      return v1::TRAINING_STATE_RUNNING;
    case TrainingJobState::kPublishing:
      return v1::TRAINING_STATE_PUBLISHING;
    case TrainingJobState::kDone:
      return v1::TRAINING_STATE_DONE;
    case TrainingJobState::kFailed:
      return v1::TRAINING_STATE_FAILED;
    case TrainingJobState::kCancelled:
      return v1::TRAINING_STATE_CANCELLED;
  }
  return v1::TRAINING_STATE_UNSPECIFIED;
}

void EncodeTraining(const TrainingJob& job, v1::Training* out) {
  out->set_id(job.id);
  out->set_state(EncodeTrainingState(job.state));
  v1::TrainRequest* request = out->mutable_request();
  request->set_model(job.request.model);
  request->set_fine_tune(job.request.fine_tune);
  request->set_data_set(job.request.data_set);
  request->set_corrections(job.request.corrections);
  request->set_epochs(job.request.epochs);
  request->set_seed(job.request.seed);
  request->set_promote(EncodePromote(job.request.promote));
  request->set_detached(job.request.detached);
  out->set_position(job.position);
  if (job.started.kind == TrainingEvent::Kind::kStarted) {
    v1::TrainingProgress* progress = out->mutable_progress();
    progress->set_epochs(job.started.epochs);
    progress->set_steps(static_cast<int>(job.started.steps));
    progress->set_epoch(std::max(1, job.progress.epoch));
    progress->set_step(static_cast<int>(job.progress.step));
    progress->set_loss(job.progress.loss);
    progress->set_images_per_second(job.progress.images_per_second);
    if (job.progress.seconds_left > 0) {
      progress->mutable_time_left()->set_seconds(static_cast<int64_t>(job.progress.seconds_left));
    }
  }
  for (const TrainingEvent& epoch : job.epochs) {
    v1::TrainingEpoch* done = out->add_epochs();
    done->set_epoch(epoch.epoch);
    done->set_loss(epoch.loss);
    done->set_accuracy(epoch.accuracy);
  }
  out->set_version(job.version);
  out->set_promoted(job.promoted);
  out->set_gate(SafeText(job.gate, kMaxWords));
  out->set_error(SafeText(job.error, kMaxWords));
  EncodeTime(job.created, out->mutable_created());
  if (job.began != absl::InfinitePast()) EncodeTime(job.began, out->mutable_started());
  if (job.ended != absl::InfinitePast()) EncodeTime(job.ended, out->mutable_ended());
}

// Sends a training as it is now, and again whenever it has changed and the last answer is out, until it has ended: a
// slow reader skips states and holds up nobody.
template <typename Response>
class TrainingReactor : public grpc::ServerWriteReactor<Response> {
 public:
  // `cancels`: the training is cancelled when the caller goes away.
  TrainingReactor(Trainings* trainings, bool cancels, const CallTimer& timer)
      : trainings_(trainings), cancels_(cancels), timer_(timer) {}

  // Once; until then the call is open. On any thread: gRPC does not wait for it, so nothing may finish the call, and
  // end this object, before its last step.
  void Begin(const absl::StatusOr<std::string>& id) {
    absl::Status status = id.status();
    std::optional<uint64_t> watch;
    if (id.ok()) {
      bool cancelled = false;
      {
        MutexLock lock(&mu_);
        id_ = *id;
        cancelled = cancelled_;
      }
      if (cancelled) CancelTraining(*id);
      const absl::StatusOr<uint64_t> begun = trainings_->Watch(*id, [this](const TrainingJob* job) { Show(job); });
      status = begun.status();
      if (begun.ok()) watch = *begun;
    }
    {
      MutexLock lock(&mu_);
      watch_ = watch;
      if (!status.ok() && !end_.has_value()) end_ = status;
    }
    GoOn(/*begins=*/true);
  }

  void OnWriteDone(bool ok) override {
    {
      MutexLock lock(&mu_);
      writing_ = false;
      if (!ok) end_ = absl::CancelledError("the caller has gone");
    }
    GoOn();
  }
  void OnCancel() override {
    std::string id;
    {
      MutexLock lock(&mu_);
      cancelled_ = true;
      if (!server_stops_) id = id_;  // it is the server that ends the call: the training goes on after its next start
      if (!end_.has_value()) end_ = absl::CancelledError("the caller has gone");
    }
    if (!id.empty()) CancelTraining(id);  // else Begin() is still to come
    GoOn();
  }
  void OnDone() override {
    std::optional<uint64_t> watch;
    {
      MutexLock lock(&mu_);
      watch = watch_;
    }
    if (watch.has_value()) trainings_->Unwatch(*watch);
    delete this;
  }

 private:
  void CancelTraining(const std::string& id) {
    if (cancels_) trainings_->Cancel(id).IgnoreError();  // it may have ended meanwhile
  }
  void Show(const TrainingJob* job) {
    {
      MutexLock lock(&mu_);
      if (job != nullptr) {
        latest_ = *job;
      } else {
        server_stops_ = true;
        if (!end_.has_value()) {
          end_ = absl::UnavailableError("the server is shutting down; the training goes on when it is back");
        }
      }
    }
    GoOn();
  }
  // Writes what is new, or finishes the call; nothing until Begin() does so.
  void GoOn(bool begins = false) {
    bool write = false;
    std::optional<absl::Status> finish;
    {
      MutexLock lock(&mu_);
      begun_ = begun_ || begins;
      if (!begun_ || writing_ || finished_) return;
      if (latest_.has_value() && !end_.has_value()) {
        response_.Clear();
        EncodeTraining(*latest_, response_.mutable_training());
        if (latest_->has_ended()) end_ = absl::OkStatus();
        latest_.reset();
        write = writing_ = true;
      } else if (end_.has_value()) {
        finished_ = true;
        finish = end_;
      }
    }
    if (write) this->StartWrite(&response_);
    if (!finish.has_value()) return;
    grpc::Status status = ToGrpcStatus(*finish);
    timer_.Count(status.error_code());
    this->Finish(std::move(status));  // the last use of this
  }

  Trainings* const trainings_;
  const bool cancels_;
  const CallTimer timer_;
  Response response_;  // while writing_, gRPC's
  Mutex mu_;
  std::string id_ ABSL_GUARDED_BY(mu_);
  std::optional<uint64_t> watch_ ABSL_GUARDED_BY(mu_);
  std::optional<TrainingJob> latest_ ABSL_GUARDED_BY(mu_);  // not written yet
  std::optional<absl::Status> end_ ABSL_GUARDED_BY(mu_);    // finish with it
  bool writing_ ABSL_GUARDED_BY(mu_) = false, finished_ ABSL_GUARDED_BY(mu_) = false;
  bool begun_ ABSL_GUARDED_BY(mu_) = false, cancelled_ ABSL_GUARDED_BY(mu_) = false;
  bool server_stops_ ABSL_GUARDED_BY(mu_) = false;
};

}  // namespace

grpc::ServerWriteReactor<v1::TrainResponse>* DigitServiceImpl::Train(grpc::CallbackServerContext* context,
                                                                     const v1::TrainRequest* request) {
  auto* reactor = new TrainingReactor<v1::TrainResponse>(trainings_, !request->detached(), StartTimer("Train"));
  absl::Status status = authorizer_.Check("Train", *context);
  absl::StatusOr<TrainingRequest> decoded = DecodeTrain(*request);
  if (status.ok()) status = decoded.status();
  if (!status.ok()) {
    LogAdminCall("Train", *context, request->model(), status);
    reactor->Begin(status);
    return reactor;
  }
  // The context is gone when the reactor is.
  trainings_->Submit(*std::move(decoded), [reactor, peer = context->peer()](const absl::StatusOr<std::string>& id) {
    LogAdminCall("Train", peer, id.ok() ? *id : "", id.status());
    reactor->Begin(id);
  });
  return reactor;
}

grpc::ServerWriteReactor<v1::WatchTrainingResponse>* DigitServiceImpl::WatchTraining(
    grpc::CallbackServerContext*, const v1::WatchTrainingRequest* request) {
  auto* reactor = new TrainingReactor<v1::WatchTrainingResponse>(trainings_, false, StartTimer("WatchTraining"));
  reactor->Begin(request->id());
  return reactor;
}

grpc::ServerUnaryReactor* DigitServiceImpl::CancelTraining(grpc::CallbackServerContext* context,
                                                           const v1::CancelTrainingRequest* request,
                                                           v1::CancelTrainingResponse* response) {
  UnaryCall* reactor = StartCall("CancelTraining");
  if (!Admits(authorizer_, "CancelTraining", *context, request->id(), reactor)) return reactor;
  const absl::Status status = trainings_->Cancel(request->id());
  LogAdminCall("CancelTraining", *context, request->id(), status);
  const absl::StatusOr<TrainingJob> job = trainings_->Get(request->id());
  if (job.ok()) EncodeTraining(*job, response->mutable_training());
  return FinishWith(reactor, status);
}

grpc::ServerUnaryReactor* DigitServiceImpl::ListTrainings(grpc::CallbackServerContext*,
                                                          const v1::ListTrainingsRequest* request,
                                                          v1::ListTrainingsResponse* response) {
  UnaryCall* reactor = StartCall("ListTrainings");
  for (const TrainingJob& job : trainings_->List(request->model())) EncodeTraining(job, response->add_trainings());
  return FinishWith(reactor, absl::OkStatus());
}

}  // namespace digit
