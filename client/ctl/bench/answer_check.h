// Whether an answer is the right one for its request.
#pragma once

#include <atomic>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "client/ctl/bench/messages.h"
#include "client/ctl/bench/pictures.h"
#include "client/lib/client.h"

namespace digit {

// What the server says when a picture travels alone and nothing else runs.
struct AloneAnswer {
  std::string label;
  std::vector<float> probabilities;
  int right = -1;  // 1: the label is that of the picture's class, 0: not, -1: the class is not known
};

// Two answers for one picture may differ by rounding: other kernels run for other batch sizes, in half precision on
// some devices. Guess, well above both.
inline constexpr float kProbabilityTolerance = 0.02f;

struct CheckedAnswer {
  int code = 0;         // gRPC's; not 0: a picture has no answer, and `message` says why
  std::string message;  // also what is wrong with a wrong answer
  bool wrong = false;
  int labelled = 0, right = 0;  // images
};

class AnswerCheck {
 public:
  // Asks the server about each picture, one after the other, before the load starts. Pictures that it cannot recognise
  // (blank, damaged) are taken out of `pictures` and named in `left_out`. The status is the client's; INVALID_ARGUMENT
  // when no picture is left; CANCELLED when `stop` became true. `labels` are the model's, to know the class of labelled
  // pictures.
  static absl::StatusOr<AnswerCheck> Ask(Client* client, const std::string& model, const std::string& version,
                                         const std::vector<std::string>& labels, BenchPictures* pictures,
                                         const std::atomic<bool>& stop, std::vector<std::string>* left_out);

  AnswerCheck(std::vector<std::string> names, std::vector<AloneAnswer> alone, std::string version = "")
      : names_(std::move(names)), alone_(std::move(alone)), version_(std::move(version)) {}

  // Compares the answer to message `m`. Another version than the one asked before, where one has gone live meanwhile,
  // must give the same label; its probabilities are its own. Thread-safe.
  CheckedAnswer Check(const MessageSet& messages, int m, const v1::RecognizeResponse& response) const;

 private:
  std::vector<std::string> names_;  // of the pictures
  std::vector<AloneAnswer> alone_;
  std::string version_;  // that was asked; empty: whichever answers
};

}  // namespace digit
