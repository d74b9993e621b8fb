"""Checks of lesson 12: the tasks and their hints; what they must do is in the modules beside."""

from __future__ import annotations

from facegan_ref.checks.engine import Lesson
from facegan_ref.checks.lesson12 import average, colour, losses, penalty, policy, wrapper

lesson = Lesson(
    "12",
    "modern_changes",
    "Modern changes",
    builds="averaged weights, relativistic losses, the R1 penalty and differentiable augmentation, "
    "compared over seeds",
    minutes=90,
    given={
        "copy": "copy",
        "parse_policy": "facegan_ref.recipes:parse_policy",
        "TRANSFORMATIONS": "facegan_ref.augment:TRANSFORMATIONS",
    },
)

lesson.task(
    "12.1",
    "EMA",
    names=("EMA",),
    points=5,
    hints=(
        "After an update, which share of the old average should still be in the new one: decay or "
        "1 - decay? And which numbers of a network are no weights that an optimizer moves?",
        "The copy is made with copy.deepcopy, then put into evaluation mode and freed of "
        "gradients. An update goes through both networks' parameters() side by side, without a "
        "graph: decay times the average plus (1 - decay) times the new value, written into the "
        "average. Then it goes through both networks' buffers() and copies each as it is.",
        "__init__: keep decay; self.model = deep copy of model, in eval mode, requires_grad off\n"
        "update, under torch.no_grad():\n"
        "    for each pair of parameters (average, value):\n"
        "        overwrite average in place by decay * average + (1 - decay) * value\n"
        "    for each pair of buffers (kept, buffer): overwrite kept by buffer",
        "A weight that starts at 1 and is 2, then 4, with decay 0.9:\n"
        "0.9 * 1 + 0.1 * 2 = 1.1, then 0.9 * 1.1 + 0.1 * 4 = 1.39. And num_batches_tracked of a\n"
        "BatchNorm layer counts batches: it is an integer, so an average of it makes no sense.",
    ),
)
lesson.task(
    "12.2",
    "relativistic_discriminator_loss and relativistic_generator_loss",
    names=("relativistic_discriminator_loss", "relativistic_generator_loss"),
    points=4,
    hints=(
        "Lesson 3's loss asks of each image: is its logit above 0? Here a pair is asked: whose "
        "logit is larger? Which one number per pair answers that?",
        "Take the difference of the two logits of a pair, real minus fake, and treat it as the "
        'logit of "the real one is more real". D\'s loss is the cross-entropy with the label 1, '
        "G's that with the label 0. The mean is over pairs, and there is one term, not two.",
        "D: difference = real_logits - fake_logits\n"
        "   return cross-entropy-with-logits(difference, ones like difference)\n"
        "G: the same with fake_logits - real_logits\n"
        "(-log sigmoid(x) is also softplus(-x))",
        "real_logits = [3, 0], fake_logits = [1, 0]: D's loss is the mean of\n"
        "softplus(-2) = 0.1269 and softplus(0) = 0.6931, which is 0.4100; G's is the mean of\n"
        "softplus(2) = 2.1269 and 0.6931, which is 1.4100. Add 100 to all four logits: both\n"
        "losses stay as they are.",
    ),
)
lesson.task(
    "12.3",
    "r1_penalty",
    names=("r1_penalty",),
    points=4,
    hints=(
        "The gradient of what, with respect to what? How many numbers has it for one image, and "
        "what has to happen with them before the mean over the batch is taken? And who has to "
        "learn from the penalty?",
        "torch.autograd.grad(logits.sum(), images, create_graph=True) gives a tuple with one "
        "tensor in the shape of images: each image's own gradient. Square it, sum over all "
        "numbers of an image, take the mean over the images. create_graph keeps the graph, so that "
        "the penalty has gradients for D's weights.",
        "gradient = first entry of autograd.grad(sum of logits, images, create_graph=True)\n"
        "per_image = sum over all but the first dimension of gradient squared\n"
        "return mean of per_image",
        "D(x) = 3 * x[0] - 4 * x[1]: the penalty must be 25 for a batch of 1 and of 100, and its\n"
        "gradient for the weights must be [6, -8]. Not 5 (the norm), not 12.5 (a mean over\n"
        "pixels), and not 2500 (a sum over the batch).",
    ),
)
lesson.task(
    "12.4",
    "change_colour",
    names=("change_colour",),
    points=3,
    hints=(
        "Three random numbers for each image: in which shape do they multiply a batch "
        "(N, 3, H, W), so that image i uses number i everywhere? And what is it that saturation "
        "and contrast keep where it is?",
        "Draw the numbers with torch.rand in the shape (N, 1, 1, 1). Brightness adds rand - 0.5. "
        "Saturation multiplies each pixel's distance from its own grey, the mean over dimension 1, "
        "by 2 * rand. Contrast multiplies the distance from the image's mean, over dimensions 1, 2 "
        "and 3, by rand + 0.5.",
        "three times: u = torch.rand(N, 1, 1, 1, on the images' device, from `generator`)\n"
        "images = images + (u1 - 0.5)\n"
        "grey = mean over colours, keepdim;    images = grey + 2 * u2 * (images - grey)\n"
        "level = mean over each image, keepdim; images = level + (u3 + 0.5) * (images - level)",
        "A batch of 50 equal images must give 50 different ones. A batch of grey images, all\n"
        "pixels 0.2, must give images that are grey all over, each of its own brightness between\n"
        "-0.3 and 0.7: saturation and contrast change nothing about them.",
    ),
)
lesson.task(
    "12.5",
    "diff_augment and AugmentedDiscriminator",
    names=("diff_augment", "AugmentedDiscriminator"),
    points=4,
    hints=(
        "A policy is a list of names in one string. Who turns it into a list, and who knows which "
        "function belongs to a name? Then, as in task 8.4: what do D's three calls of a round have "
        "in common?",
        "diff_augment goes through parse_policy(policy), and for each name replaces images by "
        "TRANSFORMATIONS[name](images, generator). AugmentedDiscriminator keeps D, the policy and "
        "the rng, and its forward gives D the augmented images: whoever calls it, with whatever.",
        "diff_augment: for each name in parse_policy(policy):\n"
        "                  images = TRANSFORMATIONS[name](images, generator)\n"
        "              return images\n"
        "AugmentedDiscriminator: __init__ calls super().__init__() and keeps the three arguments\n"
        "              forward returns the discriminator's logits for the augmented images",
        'diff_augment(x, "translation, cutout", g) moves, then cuts out; with "" it returns x;\n'
        'with "flip" it raises a ValueError. An AugmentedDiscriminator(D, "cutout") that gets a\n'
        "batch of ones shows D a square of zeros in each, at another place in the next call, also\n"
        "after eval().",
    ),
)

average.add_to(lesson)
losses.add_to(lesson)
penalty.add_to(lesson)
colour.add_to(lesson)
policy.add_to(lesson)
wrapper.add_to(lesson)
