//! The hooks in Python: metrics without a change to the code, and what a user put on the same path is kept.

use serde_json::Value;

use crate::reenact::Home;
use crate::reproducing::python;

fn record(home: &Home, arguments: &[&str]) -> Value {
    home.ask(&[&["record", "-o", "a", "--", &python()], arguments].concat());
    serde_json::from_slice(&std::fs::read(home.path().join("a/capsule.json")).unwrap()).unwrap()
}

fn series(record: &Value, name: &str) -> Vec<f64> {
    let values =
        record["metrics"][name].as_array().unwrap_or_else(|| panic!("no `{name}`: {}", record["metrics"]));
    values.iter().map(|value| value.as_f64().unwrap()).collect()
}

#[test]
fn the_losses_of_scikit_learn_are_taken_to_the_last_digit() {
    let home = Home::new().with("OMP_NUM_THREADS", "1");
    home.write(
        "t.py",
        "import warnings; warnings.simplefilter('ignore')\n\
         from sklearn.datasets import load_iris\nfrom sklearn.neural_network import MLPClassifier\n\
         from sklearn.ensemble import GradientBoostingClassifier\n\
         X, y = load_iris(return_X_y=True)\nm = MLPClassifier((4,), max_iter=3).fit(X, y)\n\
         for _ in range(2): m.partial_fit(X, y)\n\
         print(repr(m.loss_curve_))\nb = GradientBoostingClassifier(n_estimators=2).fit(X, y)\n",
    );
    let record = record(&home, &["t.py"]);
    let printed = std::fs::read_to_string(home.path().join("a/stdout.txt")).unwrap();
    let printed: Vec<f64> = printed
        .trim()
        .trim_matches(['[', ']'])
        .split(", ")
        .map(|value| value.trim_start_matches("np.float64(").trim_end_matches(')').parse().unwrap())
        .collect();
    assert_eq!(series(&record, "loss"), printed);
    assert_eq!((printed.len(), series(&record, "train_score").len()), (5, 2));
}

#[test]
fn what_boosting_evaluates_is_taken_and_nothing_more() {
    let home = Home::new().with("OMP_NUM_THREADS", "1");
    home.write(
        "t.py",
        "from sklearn.datasets import load_diabetes\nimport lightgbm, xgboost\n\
         X, y = load_diabetes(return_X_y=True)\n\
         x = xgboost.XGBRegressor(n_estimators=3, n_jobs=1)\n\
         x.fit(X, y, eval_set=[(X, y)], verbose=False)\n\
         l = lightgbm.LGBMRegressor(n_estimators=4, verbose=-1, n_jobs=1).fit(X, y, eval_set=[(X, y)])\n\
         xgboost.XGBRegressor(n_estimators=3, n_jobs=1).fit(X, y)\n\
         print(x.evals_result()['validation_0']['rmse'][-1], sep='')\n",
    );
    let record = record(&home, &["t.py"]);
    let rmse = series(&record, "validation_0_rmse");
    let printed = std::fs::read_to_string(home.path().join("a/stdout.txt")).unwrap();
    assert_eq!((rmse.len(), rmse[2]), (3, printed.trim().parse().unwrap()));
    let others: Vec<&String> = record["metrics"].as_object().unwrap().keys().collect();
    assert!(others.len() == 2 && record["metrics"][others[0]].as_array().unwrap().len() == 4, "{others:?}");
}

#[test]
fn a_pattern_wins_over_what_was_hooked() {
    let home = Home::new();
    home.write("t.py", "import os, json\nopen(os.environ['REENACT_RUN_LINES'], 'a').write(\n json.dumps({'process': 'r', 'metric': 'loss', 'value': '2.5'}) + '\\n')\nprint('loss=1.5')\n");
    let ask = |name: &str, pattern: &[&str]| {
        home.ask(&[&["record", "-o", name], pattern, &["--", &python(), "t.py"]].concat());
        let text = std::fs::read(home.path().join(name).join("capsule.json")).unwrap();
        series(&serde_json::from_slice(&text).unwrap(), "loss")
    };
    assert_eq!(ask("hooked", &[]), [2.5]);
    assert_eq!(ask("asked", &["--metric-pattern", "(?P<loss>1\\S+)"]), [1.5]);
}

#[test]
fn the_users_own_sitecustomize_and_path_are_kept() {
    let home = Home::new();
    home.write("own/sitecustomize.py", "import builtins\nbuiltins.mine = 'kept'\n");
    home.write("own/module.py", "name = 'found'\n");
    home.write(
        "t.py",
        "import os, sys, sitecustomize, module\n\
         print(mine, module.name, os.path.relpath(sitecustomize.__file__))\n\
         print(any(p.endswith('hooks') for p in sys.path), sys.path[-1].endswith('lib'))\n",
    );
    let own = home.path().join("own");
    let home = home.with("PYTHONPATH", own.to_str().unwrap());
    let record = record(&home, &["t.py"]);
    let said = std::fs::read_to_string(home.path().join("a/stdout.txt")).unwrap();
    assert!(said.starts_with("kept found own/sitecustomize.py\n"), "{said}");
    assert!(said.ends_with("False True\n"), "{said}");
    assert_eq!(record["variables"]["PYTHONPATH"], own.to_str().unwrap());
    assert_eq!(home.run(&["replay", "a", "-o", "b"]).code, Some(0));
}

#[test]
fn a_python_that_leaves_the_hooks_out_is_told_of() {
    let home = Home::new();
    home.write("t.py", "print('out')\n");
    let ended = home.run(&["record", "-o", "a", "--", &python(), "-I", "t.py"]);
    assert!(ended.code == Some(0) && ended.stderr.contains("started with `-I`"), "{ended}");
    assert!(!home.run(&["record", "-o", "b", "--", &python(), "t.py", "-I"]).stderr.contains("started with"));
}

#[test]
fn an_address_with_a_password_stays_out_of_a_capsule() {
    let home = Home::new().with("PYTHON_INDEX", "https://me:inenvironment@host/simple");
    home.write("t.py", "import os\nprint(len(os.environ['PYTHON_INDEX']))\n");
    let ended =
        home.run(&["record", "-o", "a", "--", &python(), "t.py", "--db", "postgres://me:incommand@host/db"]);
    assert!(
        ended.code == Some(0) && ended.stdout == "36\n" && ended.stderr.contains("look like secrets"),
        "{ended}"
    );
    let text = std::fs::read_to_string(home.path().join("a/capsule.json")).unwrap();
    assert!(!text.contains("inenvironment") && !text.contains("incommand"), "{text}");
}

/// A Python that has what trains by PyTorch, where this machine has one.
fn trainers_python() -> Option<String> {
    std::env::var("REENACT_TEST_TRAINERS_PYTHON").ok()
}

/// What a training said behind `TOLD`, as JSON.
fn told(home: &Home) -> Value {
    let text = std::fs::read_to_string(home.path().join("a/stdout.txt")).unwrap();
    let told = text.lines().find_map(|line| line.strip_prefix("TOLD "));
    serde_json::from_str(told.unwrap_or_else(|| panic!("nothing was told: {text}"))).unwrap()
}

/// Trains for three steps with a logger that keeps what it is told.
const LIGHTNING: &str = "\
import json, warnings
warnings.simplefilter('ignore')
import torch
import pytorch_lightning as pl
from pytorch_lightning.loggers.logger import DummyLogger
from torch.utils.data import DataLoader, TensorDataset

# Debian's PyTorch 1.13 cannot import its own sharded tensors in Python 3.11.
pl.LightningModule._register_sharded_tensor_state_dict_hooks_if_available = lambda self: None
told = {}

class Logger(DummyLogger):
    def log_metrics(self, metrics, step=None, **_):
        for name, value in metrics.items():
            told.setdefault(name, []).append(value)

class Line(pl.LightningModule):
    def __init__(self):
        super().__init__()
        self.layer = torch.nn.Linear(2, 1)
    def loss(self, batch):
        return torch.nn.functional.mse_loss(self.layer(batch[0])[:, 0], batch[1])
    def training_step(self, batch, _):
        loss = self.loss(batch)
        self.log('loss', loss)
        return loss
    def validation_step(self, batch, _):
        self.log('val_loss', self.loss(batch))
    def configure_optimizers(self):
        return torch.optim.SGD(self.parameters(), lr=0.1)

rows = torch.rand(12, 2)
loader = DataLoader(TensorDataset(rows, rows.sum(1)), batch_size=4)
trainer = pl.Trainer(max_epochs=2, log_every_n_steps=1, logger=Logger(), accelerator='cpu', num_sanity_val_steps=0,
                     enable_checkpointing=False, enable_progress_bar=False, enable_model_summary=False)
trainer.fit(Line(), loader, loader)
told.pop('epoch')
print('TOLD ' + json.dumps(told))
";

/// The same with the trainer of `transformers`, which keeps what it logs itself.
const TRANSFORMERS: &str = "\
import json, warnings
warnings.simplefilter('ignore')
import torch
from transformers import Trainer, TrainingArguments

class Line(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.layer = torch.nn.Linear(2, 1)
    def forward(self, x, labels):
        said = self.layer(x)[:, 0]
        return {'loss': torch.nn.functional.mse_loss(said, labels), 'logits': said}

rows = [{'x': torch.rand(2), 'labels': torch.rand(())} for _ in range(8)]
arguments = TrainingArguments('out', num_train_epochs=2, per_device_train_batch_size=4, logging_steps=1, use_cpu=True,
                              eval_strategy='epoch', save_strategy='no', report_to=[], disable_tqdm=True)
trainer = Trainer(Line(), arguments, train_dataset=rows, eval_dataset=rows)
trainer.train()
told = {}
for entry in trainer.state.log_history:
    for name, value in entry.items():
        if name in ('loss', 'eval_loss', 'train_loss', 'learning_rate', 'grad_norm'):
            told.setdefault(name, []).append(value)
print('TOLD ' + json.dumps(told))
";

#[test]
fn what_lightning_and_the_trainer_of_transformers_log_is_taken_without_what_the_clock_says() {
    let Some(python) = trainers_python() else { return };
    for (script, n_losses) in [(LIGHTNING, 6), (TRANSFORMERS, 4)] {
        let home = Home::new().with("OMP_NUM_THREADS", "1");
        home.write("t.py", script);
        home.ask(&["record", "-o", "a", "--", &python, "t.py"]);
        let record: Value =
            serde_json::from_slice(&std::fs::read(home.path().join("a/capsule.json")).unwrap()).unwrap();
        let told = told(&home);
        assert_eq!(record["metrics"], told);
        assert_eq!(told["loss"].as_array().unwrap().len(), n_losses, "{told}");
    }
}

/// Logs by calls of each kind, to a server that is not there and to a folder that is.
const MLFLOW: &str = "\
import os, sys
import mlflow
from mlflow.entities import Metric
client = mlflow.MlflowClient(tracking_uri='http://127.0.0.1:9')
os.environ['MLFLOW_HTTP_REQUEST_MAX_RETRIES'] = '0'
try:
    client.log_metric('0' * 32, 'lost', 0.125)
    sys.exit('there is a server')
except mlflow.exceptions.MlflowException:
    pass
mlflow.set_tracking_uri('file:' + os.path.abspath('mlruns'))
with mlflow.start_run():
    for step in range(3):
        mlflow.log_metric('score', 0.1 * step, step=step)
    mlflow.log_metrics({'other': 1 / 3, 'system/cpu': 50.0})
    mlflow.log_param('rate', 0.5)
";

#[test]
fn what_is_logged_to_mlflow_is_taken_whether_or_not_its_server_is_there() {
    let home = Home::new().with("MLFLOW_ALLOW_FILE_STORE", "true");
    home.write("t.py", MLFLOW);
    let record = record(&home, &["t.py"]);
    assert_eq!(series(&record, "score"), [0.0, 0.1, 0.2]);
    assert_eq!((series(&record, "other"), series(&record, "lost")), (vec![1.0 / 3.0], vec![0.125]));
    assert_eq!(record["metrics"].as_object().unwrap().len(), 3, "{}", record["metrics"]);
}

#[test]
fn a_number_that_mlflow_is_told_too_is_taken_once() {
    let home = Home::new();
    let line = |more: &str, value: &str| {
        format!("{{\"process\": \"r\", \"metric\": \"loss\", \"value\": \"{value}\"{more}}}\\n")
    };
    let lines = [line(", \"told\": \"mlflow\"", "1.5"), line("", "2.5"), line("", "0.5")].concat();
    home.write("t.py", format!("import os\nopen(os.environ['REENACT_RUN_LINES'], 'a').write('{lines}')\n"));
    assert_eq!(series(&record(&home, &["t.py"]), "loss"), [2.5, 0.5]);
}
