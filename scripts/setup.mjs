console.log("setup: placeholder");
