// Small recognitions travel together, as a call costs the gateway and the daemon more than a small picture does.
//
// The rule is Nagle's for small segments (RFC 896): what has come when the event loop has read all its sockets goes at
// once if no call for the same model is under way, or if it fills a call; else when that call is answered, but after
// some milliseconds in any case. A picture alone never waits.
#pragma once

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/awaitable.hpp>
#include <chrono>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "client/gateway/http/message.h"
#include "digit/v1/digit.pb.h"

namespace digit {

// What a call answered, for all who travelled in it.
struct SharedAnswer {
  absl::Status status;
  v1::RecognizeResponse response;  // one result for each picture
  std::string timing;              // the trailer digit-timing
};

// Of one thread, and used on it only.
class Coalescer {
 public:
  static constexpr size_t kMaxPictures = 32;            // of one call: the daemon's batch
  static constexpr std::chrono::milliseconds kTick{2};  // a picture waits for less than two of them

  // Whether `picture` is decoded in a fraction of a millisecond whatever is in it, so that those who travel with it do
  // not wait for it: a plain PNG (base/plain_png.h) of at most 4 KiB and 64x64.
  static bool IsSmall(absl::string_view picture);

  // The answer, and which of its results is one's own. A call that is refused as a whole though each of its
  // pictures might not be (a daemon that takes few images in a call) is made again for each.
  struct Answer {
    std::shared_ptr<const SharedAnswer> shared;
    int index = 0;
  };
  // The pictures of one call.
  struct Group {
    v1::RecognizeRequest request;
    std::vector<std::string> request_ids;  // that callers have sent, none of them empty
    std::vector<std::function<void(Answer answer)>> waiting;
  };
  // Starts a call; `done` is called on any thread, when the group is not read any more.
  using Call = std::function<void(std::shared_ptr<const Group> group, std::function<void(SharedAnswer)> done)>;
  explicit Coalescer(Call call) : call_(std::move(call)) {}

  // When the client goes away it is answered CANCELLED at once; the call, which others wait for, goes on.
  // `request_id`: as the caller sent it; empty: it has not.
  asio::awaitable<Answer> Recognize(std::string model, std::string version, std::string picture, std::string request_id,
                                    HttpExchange* exchange);

 private:
  using Resume = std::function<void(Answer answer)>;
  // For one model and version; forgotten when it is empty.
  struct Line {
    Group next;
    bool has_waited_a_tick = false;  // what is in `next`
    int calls_under_way = 0;
  };
  using Key = std::pair<std::string, std::string>;  // model and version

  void Add(const asio::any_io_executor& executor, const Key& key, std::string picture, std::string request_id,
           Resume resume);
  void EndTurn(const asio::any_io_executor& executor, const Key& key);
  void TickLater(const asio::any_io_executor& executor);
  void Tick(const asio::any_io_executor& executor);
  void SendNext(const asio::any_io_executor& executor, const Key& key, Line& line);
  void Send(const asio::any_io_executor& executor, const Key& key, Line& line, Group group);
  void SendEach(const asio::any_io_executor& executor, const Key& key, Line& line, Group& group);
  void Finish(const asio::any_io_executor& executor, const Key& key, Group& group,
              const std::shared_ptr<const SharedAnswer>& answer);

  const Call call_;
  std::map<Key, Line> lines_;
  bool ticking_ = false;
};

}  // namespace digit
