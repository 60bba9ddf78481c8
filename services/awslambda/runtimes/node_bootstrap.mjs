// Starts a Node function: a client of the Lambda Runtime API without dependencies.
import fs from "node:fs";
import http from "node:http";
import { createRequire } from "node:module";
import path from "node:path";
import { pathToFileURL } from "node:url";
import util from "node:util";

const [host, port] = process.env.AWS_LAMBDA_RUNTIME_API.split(":");
const agent = new http.Agent({ keepAlive: true, maxSockets: 1 });
let requestId = "";

function call(method, route, body, headers = {}) {
  return new Promise((resolve, reject) => {
    const options = { host, port, method, agent, headers, path: `/2018-06-01/runtime${route}` };
    const request = http.request(options, (answer) => {
      const pieces = [];
      answer.on("data", (piece) => pieces.push(piece));
      answer.on("error", reject);
      answer.on("end", () => resolve({ headers: answer.headers, body: Buffer.concat(pieces) }));
    });
    request.on("error", reject);
    request.end(body);
  });
}

class RuntimeFault extends Error {
  constructor(type, message) {
    super(message);
    this.name = type;
  }
}

function describe(error) {
  if (!(error instanceof Error)) {
    return { errorType: typeof error, errorMessage: String(error), trace: [] };
  }
  const trace = (error.stack ?? "").split("\n");
  return { errorType: error.name, errorMessage: error.message, trace };
}

// AWS writes time, request id, level and message, separated by tabs; a message stays one event.
function installConsole() {
  const levels = { log: "INFO", info: "INFO", debug: "DEBUG", warn: "WARN", error: "ERROR" };
  levels.trace = "TRACE";
  for (const [method, level] of Object.entries(levels)) {
    console[method] = (...parts) => log(level, util.format(...parts));
  }
}

function log(level, message) {
  const time = new Date().toISOString();
  const line = `${time}\t${requestId || "undefined"}\t${level}\t${message}`;
  fs.writeSync(1, line.replaceAll("\n", "\r") + "\n");
}

async function loadModule(file) {
  if (file.endsWith(".mjs")) return import(pathToFileURL(file));
  try {
    return createRequire(file)(file);
  } catch (error) {
    if (error.code === "ERR_REQUIRE_ESM") return import(pathToFileURL(file));
    throw error;
  }
}

async function loadHandler() {
  const [, folder, rest] = /^(.*\/)?([^/]*)$/.exec(process.env._HANDLER);
  const dot = rest.indexOf(".");
  if (dot < 1) throw new RuntimeFault("Runtime.MalformedHandlerName", "Bad handler");
  const [name, steps] = [rest.slice(0, dot), rest.slice(dot + 1).split(".")];
  const base = path.resolve(process.env.LAMBDA_TASK_ROOT, folder ?? "", name);
  const file = ["", ".js", ".mjs", ".cjs"].map((end) => base + end).find((each) => isFile(each));
  if (!file) {
    throw new RuntimeFault("Runtime.ImportModuleError", `Error: Cannot find module '${name}'`);
  }
  const loaded = await loadUserModule(file);
  const find = (from) => steps.reduce((each, step) => each?.[step], from);
  const handler = find(loaded) ?? find(loaded.default);
  const missing = `${process.env._HANDLER} is undefined or not exported`;
  if (!handler) throw new RuntimeFault("Runtime.HandlerNotFound", missing);
  if (typeof handler !== "function") {
    throw new RuntimeFault("Runtime.HandlerNotFound", `${process.env._HANDLER} is not a function`);
  }
  return handler;
}

function isFile(file) {
  return fs.statSync(file, { throwIfNoEntry: false })?.isFile() ?? false;
}

async function loadUserModule(file) {
  try {
    return await loadModule(file);
  } catch (error) {
    if (error instanceof SyntaxError) {
      throw new RuntimeFault("Runtime.UserCodeSyntaxError", `SyntaxError: ${error.message}`);
    }
    if (["MODULE_NOT_FOUND", "ERR_MODULE_NOT_FOUND"].includes(error?.code)) {
      throw new RuntimeFault("Runtime.ImportModuleError", `Error: ${error.message}`);
    }
    throw error;
  }
}

function contextOf(headers, settle) {
  const deadline = Number(headers["lambda-runtime-deadline-ms"]);
  const environment = process.env;
  const clientContext = headers["lambda-runtime-client-context"];
  return {
    callbackWaitsForEmptyEventLoop: true,
    awsRequestId: headers["lambda-runtime-aws-request-id"],
    invokedFunctionArn: headers["lambda-runtime-invoked-function-arn"],
    clientContext: clientContext ? JSON.parse(clientContext) : undefined,
    functionName: environment.AWS_LAMBDA_FUNCTION_NAME,
    functionVersion: environment.AWS_LAMBDA_FUNCTION_VERSION,
    memoryLimitInMB: environment.AWS_LAMBDA_FUNCTION_MEMORY_SIZE,
    logGroupName: environment.AWS_LAMBDA_LOG_GROUP_NAME,
    logStreamName: environment.AWS_LAMBDA_LOG_STREAM_NAME,
    getRemainingTimeInMillis: () => Math.max(0, deadline - Date.now()),
    done: (error, result) => settle(error, result),
    succeed: (result) => settle(null, result),
    fail: (error) => settle(error ?? new Error("null")),
  };
}

function run(handler, headers, body) {
  return new Promise((resolve, reject) => {
    const settle = (error, result) => (error ? reject(error) : resolve(result));
    const returned = handler(JSON.parse(body.toString()), contextOf(headers, settle), settle);
    if (typeof returned?.then === "function") returned.then(resolve, reject);
    // A plain function that takes no callback is done when it returns.
    else if (handler.length < 2) resolve(returned);
  });
}

async function serve(handler) {
  for (;;) {
    const { headers, body } = await call("GET", "/invocation/next");
    requestId = headers["lambda-runtime-aws-request-id"];
    process.env._X_AMZN_TRACE_ID = headers["lambda-runtime-trace-id"] ?? "";
    try {
      const result = await run(handler, headers, body);
      const content = JSON.stringify(result) ?? "null";
      await call("POST", `/invocation/${requestId}/response`, content);
    } catch (error) {
      log("ERROR", `Invoke Error\t${JSON.stringify(describe(error))}`);
      await call("POST", `/invocation/${requestId}/error`, JSON.stringify(describe(error)));
    }
  }
}

function endWith(kind) {
  return (error) => {
    const described = { ...describe(error), errorType: kind };
    log("ERROR", `${kind}\t${JSON.stringify(described)}`);
    process.exit(129);
  };
}

installConsole();
process.on("uncaughtException", endWith("Runtime.UncaughtException"));
process.on("unhandledRejection", endWith("Runtime.UnhandledPromiseRejection"));
let handler;
try {
  handler = await loadHandler();
} catch (error) {
  log("ERROR", `Init Error\t${JSON.stringify(describe(error))}`);
  await call("POST", "/init/error", JSON.stringify(describe(error)));
  process.exit(1);
}
await serve(handler);
