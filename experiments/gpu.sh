#!/usr/bin/env bash
# Everything that waits for a GPU: the numeric tests there, the published pair on CIFAR-100, CIFAR-100 with specialists, and the
# students of CIFAR-100 at three sizes with three shares of the labels, three seeds each.
#
#     experiments/gpu.sh [FOLDER]         reports go to FOLDER, runs/gpu by default; a second start goes on where it was
#
# CONTRIBUTING.md says what a build with CUDA needs. CIFAR-100 is fetched from the hub; DATA=path reads its parquet files from a
# folder. DEVICE=cpu EPOCHS=1 tries the script itself.
set -euo pipefail
cd "$(dirname "$0")/.."

out=${1:-runs/gpu}
device=${DEVICE:-cuda}
data=()
[ -z "${DATA:-}" ] || data=(--set "data.path=$DATA")
short=()
if [ -n "${EPOCHS:-}" ]; then
    schedule='schedule={kind="constant",learning_rate=0.01}'
    for role in generalist specialists student; do
        short+=(--set "$role.training.n_epochs=$EPOCHS" --set "$role.training.$schedule")
    done
    short+=(--set student.views=1)
fi

if [ "$device" = cuda ]; then
    cargo test --release --features cuda --workspace --lib --test models cuda
    cargo test --release --features cuda --workspace --test cuda
    cargo build --release --features cuda
else
    cargo build --release
fi

run() {
    local name=$1 config=$2
    shift 2
    target/release/stillhouse run "$config" --device "$device" --out "$out/$name" --stages "$out/stages" \
        "${data[@]}" "${short[@]}" "$@"
}

# the published pair, with two losses and with mixed views
pair=experiments/gpu/cifar100_pair.toml
run pair "$pair"
run pair_standardised "$pair" \
    --set 'student.distillation={loss={kind="standardised_soft_cross_entropy",temperature=2.0},task_loss_weight=0.1,distill_loss_weight=9.0}'
run pair_mixed "$pair" --set 'student.mix={}'

# specialists in other ways: on the 20 superclasses, on overlapping clusters, with larger steps, with two generalists, from scratch
whole=configs/cifar100.toml
run specialists/superclasses "$whole" \
    --set 'clustering.method={kind="hierarchy",path="experiments/gpu/cifar100_superclasses.tsv"}'
run specialists/overlapping "$whole" --set clustering.coverage=2
run specialists/larger_steps "$whole" \
    --set 'specialists.training.schedule={kind="one_cycle",peak_learning_rate=0.3}'
run specialists/two_generalists "$whole" --set generalist.n_models=2
run specialists/from_scratch "$whole" --set 'specialists.init="scratch"' \
    --set "specialists.training.n_epochs=${EPOCHS:-20}" \
    --set 'specialists.training.schedule={kind="one_cycle",peak_learning_rate=0.6}'

# specialists, and what a student keeps of them: its size against the generalist's, the labels that are left
for seed in 0 1 2; do
    for widths in 32,64,128,256 16,32,64,128 8,16,32,64; do
        for labels in 1.0 0.1 0.03; do
            held_back=()
            [ "$labels" = 1.0 ] || held_back=(--set "data.labelled_fraction=$labels")
            run "gain_kept/$widths-$labels-$seed" "$whole" --set "seed=$seed" "${held_back[@]}" \
                --set "student.model.widths=[$widths]" --set "student.training.n_epochs=${EPOCHS:-120}" \
                --set "student.views=${EPOCHS:-30}"
        done
    done
done
