// A typed client of digitd.
//
//   ASSIGN_OR_RETURN(std::unique_ptr<Client> client, Client::Create({.server = "127.0.0.1:50051"}));
//   v1::RecognizeRequest request;
//   request.add_images()->set_encoded(bytes_of_a_png);
//   ASSIGN_OR_RETURN(v1::RecognizeResponse response, client->Recognize(request));
//
// Every call has a deadline. What a retry can heal is retried within it: UNAVAILABLE (not reachable, draining) and a
// server's CANCELLED (stopping) up to 4 attempts by gRPC's service config, and overload after the time the server asks
// for. Thread-safe: one Client, and its one connection, serves all threads; every call blocks its caller only. No
// threads of its own beyond gRPC's. Plaintext only: TLS belongs to the proxy or mesh in front of digitd.
//
// Errors are absl::Status with the server's code and one line that names the server, for people:
//   UNAVAILABLE: "cannot reach 127.0.0.1:50051: connection refused. Is digitd running? Start it with: ..."
//   DEADLINE_EXCEEDED: no answer within the timeout; RESOURCE_EXHAUSTED: overloaded for longer than that.
//   INVALID_ARGUMENT, NOT_FOUND, ...: what the server says.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "digit/v1/digit.grpc.pb.h"
#include "grpc/health/v1/health.grpc.pb.h"

namespace digit {

struct ClientOptions {
  // HOST:PORT, [ADDRESS]:PORT for IPv6, or dns:///HOST:PORT for every address that the name has, in turns.
  std::string server = "127.0.0.1:50051";
  absl::Duration timeout =
      absl::Seconds(10);              // of each call, retries included; above 0, at most 24 h; streams: see below
  int max_response_bytes = 16 << 20;  // the server's own message limit
  std::string admin_token;            // sent with the calls that are for admins; empty: none
};

// Bounds on what a stream holds in memory: unanswered requests, kept to be sent again.
struct StreamOptions {
  int max_unanswered = 64;                  // >= 1; the server reads at most 256 ahead. Guess
  int64_t max_unanswered_bytes = 32 << 20;  // one request may exceed it, then it travels alone. Guess
};

class Client {
 public:
  // The next request of a stream; nullopt: there are no more. A status in place of a request is not sent: it is
  // answered in its turn, so that a caller's own failures (an unreadable file) keep their place.
  using NextRequest = std::function<std::optional<absl::StatusOr<v1::RecognizeRequest>>()>;
  // One answer. False ends the stream early.
  using OnAnswer = std::function<bool(absl::StatusOr<v1::RecognizeResponse> answer)>;

  // Connects to nothing yet. INVALID_ARGUMENT names the option.
  static absl::StatusOr<std::unique_ptr<Client>> Create(ClientOptions options);

  // Classifies 1..N images. A bad image is an error in its result, not of the call.
  absl::StatusOr<v1::RecognizeResponse> Recognize(const v1::RecognizeRequest& request);

  // Sends requests over one stream and hands out the answers in the order of the requests, both on the calling thread;
  // `next` is called only when there is room within `options`. Blocks until all is answered, `on_answer` returns false
  // (CANCELLED), or the stream fails for good.
  // A request refused for overload or by a draining model is sent again within `timeout` of its first sending. A broken
  // connection is opened again, with what was unanswered; after 4 openings without one answer, UNAVAILABLE.
  // DEADLINE_EXCEEDED: requests are waiting and none was answered for `timeout`. The server holds each to it as well.
  absl::Status RecognizeStream(const NextRequest& next, const OnAnswer& on_answer, const StreamOptions& options = {});

  absl::StatusOr<v1::ListModelsResponse> ListModels();

  // Empty: the default model.
  absl::StatusOr<v1::Model> GetModel(const std::string& name);

  // For admins. Empty `name`: the default model. Answers when the reload is done; the server's reason when it is not.
  // `candidate`: it is loaded beside what is live.
  absl::StatusOr<v1::ReloadModelResponse> ReloadModel(const std::string& name, bool force, bool candidate = false);
  absl::StatusOr<v1::RollbackModelResponse> RollbackModel(const std::string& name);
  // Empty `version`: the candidate.
  absl::StatusOr<v1::PromoteModelResponse> PromoteModel(const std::string& name, const std::string& version,
                                                        bool force);
  // `share` of the requests, 0 to 1.
  absl::StatusOr<v1::ShadowModelResponse> ShadowModel(const std::string& name, double share);

  // Stores a correction; to say the same again is harmless, so that this is retried.
  absl::StatusOr<v1::SubmitFeedbackResponse> SubmitFeedback(const v1::SubmitFeedbackRequest& request);
  // One page. For admins, as the next one.
  absl::StatusOr<v1::ListFeedbackResponse> ListFeedback(const v1::ListFeedbackRequest& request);
  absl::StatusOr<v1::ReviewFeedbackResponse> ReviewFeedback(const v1::ReviewFeedbackRequest& request);
  // Empty `name`: the default model.
  absl::StatusOr<v1::GetModelStatsResponse> GetModelStats(const std::string& name);

  // Follows a training until it has ended: `on_change` gets it as it is at first and then as it changes; false leaves,
  // with CANCELLED. No time limit. For admins; cancels the training when we go, unless it is detached.
  using OnTraining = std::function<bool(const v1::Training& training)>;
  absl::Status Train(const v1::TrainRequest& request, const OnTraining& on_change);
  absl::Status WatchTraining(const std::string& id, const OnTraining& on_change);
  // For admins.
  absl::StatusOr<v1::CancelTrainingResponse> CancelTraining(const std::string& id);
  absl::StatusOr<v1::ListTrainingsResponse> ListTrainings(const std::string& model);

  // Whether the server (empty `service`: as a whole) takes requests now. One attempt, so that the answer is of now.
  absl::StatusOr<bool> IsServing(const std::string& service = "");

  const std::string& server() const { return options_.server; }

 private:
  Client(ClientOptions options, std::shared_ptr<grpc::Channel> channel);

  template <typename Response>
  absl::Status Follow(grpc::ClientContext* context, grpc::ClientReader<Response>* reader, const OnTraining& on_change);
  void SendAdminToken(grpc::ClientContext* context) const;
  // Calls `method` of the stub with the admin token.
  template <typename Response, typename Request>
  absl::StatusOr<Response> AskAsAdmin(grpc::Status (v1::DigitService::Stub::*method)(grpc::ClientContext*,
                                                                                     const Request&, Response*),
                                      const Request& request);

  // Runs `call` with a fresh context until it is not told to try again.
  template <typename Call>
  absl::Status Try(const Call& call);

  const ClientOptions options_;
  const std::shared_ptr<grpc::Channel> channel_;
  const std::unique_ptr<v1::DigitService::Stub> digits_;
  const std::unique_ptr<grpc::health::v1::Health::Stub> health_;
};

}  // namespace digit
