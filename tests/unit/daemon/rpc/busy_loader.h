// A call for the loader whose caller leaves before its turn.
#pragma once

#include <functional>
#include <future>

#include "daemon/registry/model_loader.h"
#include "grpcpp/client_context.h"
#include "grpcpp/support/status.h"
#include "gtest/gtest.h"

namespace digit {

// Holds the loader while the call that `start` starts is made and cancelled. `another` makes any other call over the
// same connection: when that is answered the server has read the first one. The server may learn later than the caller
// that it has ended.
inline void LeaveWhileTheLoaderIsBusy(
    ModelLoader* loader,
    const std::function<void(grpc::ClientContext* context, std::function<void(grpc::Status)> ended)>& start,
    const std::function<void()>& another) {
  std::promise<void> go_on, ended, done;
  const auto never = [] { return false; };
  const ModelLoader::Done hold = [&](const auto&) { go_on.get_future().wait(); };
  const ModelLoader::Done tell = [&](const auto&) { done.set_value(); };
  loader->Reload("", {}, hold, never);
  grpc::ClientContext context;
  start(&context, [&](const grpc::Status& status) {
    EXPECT_EQ(status.error_code(), grpc::StatusCode::CANCELLED) << status.error_message();
    ended.set_value();
  });
  another();
  context.TryCancel();
  ended.get_future().wait();
  go_on.set_value();
  loader->Reload("", {}, tell, never);
  done.get_future().wait();
}

}  // namespace digit
